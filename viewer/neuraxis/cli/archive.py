"""Archives: `find`, `pull`, `push`, and `archive` for naming and signing in."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuraxis.cli.shared import AsJson, app, print_json, progress_bar, tell
from neuraxis.errors import UsageError

if TYPE_CHECKING:
    from neuraxis.app.archive_entries import ArchiveEntry

Named = Annotated[str, typer.Option("--archive", metavar="NAME", help="an archive named with `neuraxis archive add`")]
Url = Annotated[str, typer.Option("--url", help="address of a DICOMweb service, https://…")]
Host = Annotated[str, typer.Option("--host", help="host of a DIMSE archive")]
Port = Annotated[int, typer.Option("--port", help="its port")]
Aet = Annotated[str, typer.Option("--aet", help="its application entity title")]
OwnAet = Annotated[str, typer.Option("--own-aet", help="ours, as the archive knows it")]
Tls = Annotated[bool, typer.Option("--tls", help="DIMSE over TLS (DICOMweb always is)")]
CaFile = Annotated[str, typer.Option("--ca-file", help="PEM file with the authority that vouches for the archive")]
ReceivePort = Annotated[int, typer.Option("--receive-port", help="retrieve by C-MOVE, listening here; default: C-GET")]
ReceiveHost = Annotated[str, typer.Option("--receive-host", help="address to listen on; default: this machine only")]

_SIGN_IN = (
    "Credentials come from the system keyring (`neuraxis archive login`) or from NEURAXIS_ARCHIVE_USER and "
    "NEURAXIS_ARCHIVE_PASSWORD, or NEURAXIS_ARCHIVE_TOKEN, together with NEURAXIS_ARCHIVE_ORIGIN, the only place they are "
    "sent to."
)


@app.command(epilog="Example: neuraxis find --url https://archive.example/dicom-web --patient-name Doe --json")
def find(
    archive: Named = "", url: Url = "", host: Host = "", port: Port = 0, aet: Aet = "", own_aet: OwnAet = "NEURAXIS",
    tls: Tls = False, ca_file: CaFile = "",
    patient_name: Annotated[str, typer.Option(help="family name first; the beginning is enough, * and ? are wild")] = "",
    patient_id: Annotated[str, typer.Option()] = "",
    accession: Annotated[str, typer.Option(help="accession number")] = "",
    date_from: Annotated[str, typer.Option("--from", help="study date, YYYY-MM-DD")] = "",
    date_to: Annotated[str, typer.Option("--to", help="study date, YYYY-MM-DD")] = "",
    modality: Annotated[str, typer.Option(help="studies with CT, MR, …")] = "",
    study: Annotated[str, typer.Option(help="Study Instance UID: lists its series")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="at most so many studies")] = 100, as_json: AsJson = False,
) -> None:
    """List studies of an archive, or the series of one."""
    from neuraxis.app import archive as work
    from neuraxis.interop.archive.query import StudyQuery

    entry = _entry(archive, url, host, port, aet, own_aet, tls, ca_file)
    if study:
        series = work.series_of(entry, study)
        rows = [f"{s.series_uid}  {s.modality:<3} {s.instances or '?'} images  {s.description}" for s in series]
        data = {"series": [asdict(s) for s in series]}
    else:
        query = StudyQuery(patient_name, patient_id, accession, date_from, date_to, modality)
        studies = work.find(entry, query, limit=limit)
        rows = [
            f"{s.study_uid}  {s.study_date}  {'/'.join(s.modalities)}  {s.patient_name} ({s.patient_id})  {s.description}"
            for s in studies
        ]
        data = {"studies": [asdict(s) for s in studies]}
        if len(studies) == limit:
            tell(f"warning: {limit} studies are listed, there may be more; raise --limit or narrow the search")
    if as_json:
        print_json(data)
    else:
        print("\n".join(rows) if rows else "nothing matches")


@app.command(epilog="Example: neuraxis pull --archive ours --study 1.2.840.1 --to ./study")
def pull(
    study: Annotated[str, typer.Option(help="Study Instance UID")],
    to: Annotated[Path, typer.Option("--to", help="folder for the study")],
    series: Annotated[list[str] | None, typer.Option(help="Series Instance UID, can be repeated; default: all")] = None,
    archive: Named = "", url: Url = "", host: Host = "", port: Port = 0, aet: Aet = "", own_aet: OwnAet = "NEURAXIS",
    tls: Tls = False, ca_file: CaFile = "", receive_port: ReceivePort = 0, receive_host: ReceiveHost = "",
    as_json: AsJson = False,
) -> None:
    """Receive a study into a folder; the same command goes on where a stopped one left off."""
    from neuraxis.app import archive as work

    entry = _entry(archive, url, host, port, aet, own_aet, tls, ca_file, receive_port, receive_host)
    with progress_bar() as progress:
        done = work.pull(entry, study, to, series_uids=series or (), progress=progress)
    for note in done.notes:
        tell(f"warning: {note}")
    if as_json:
        print_json(work.pulled_to_json(done))
    else:
        before = f", {done.resumed} were there already" if done.resumed else ""
        print(f"received {done.new} instances ({done.new_bytes / 1e6:.1f} MB){before}: {to}")


@app.command(epilog="Example: neuraxis push ./results --url https://archive.example/dicom-web")
def push(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="DICOM files, or folders with them", show_default=False)],
    archive: Named = "", url: Url = "", host: Host = "", port: Port = 0, aet: Aet = "", own_aet: OwnAet = "NEURAXIS",
    tls: Tls = False, ca_file: CaFile = "", as_json: AsJson = False,
) -> None:
    """Send instances to an archive, read each back and compare."""
    from neuraxis.app import archive as work

    entry = _entry(archive, url, host, port, aet, own_aet, tls, ca_file)
    with progress_bar() as progress:
        done = work.push(entry, paths, progress=progress)
    for note in (*done.notes, *(f"{s.path} is not sent: {s.reason}" for s in done.skipped)):
        tell(f"warning: {note}")
    if as_json:
        print_json(work.pushed_to_json(done))
        return
    print(f"sent {len(done.sent)} instances ({done.sent_bytes / 1e6:.1f} MB), read back equal")
    if done.already_there:
        print(f"{len(done.already_there)} were there already, equal")
    if done.renamed:
        print(f"{len(done.renamed)} got new SOP Instance UIDs: the archive holds something else under theirs")


def _entry(
    name: str, url: str, host: str, port: int, aet: str, own_aet: str, tls: bool, ca_file: str, receive_port: int = 0,
    receive_host: str = "",
) -> ArchiveEntry:
    from neuraxis.app.archive_entries import ArchiveEntry, find_archive

    if name and (url or host):
        raise typer.BadParameter("give either --archive, or --url, or --host, --port and --aet")
    if name:
        return find_archive(name)
    return ArchiveEntry(
        url=url, host=host, port=port, aet=aet, own_aet=own_aet, tls=tls, ca_file=ca_file, receive_port=receive_port,
        receive_host=receive_host,
    ).check()


named = typer.Typer(no_args_is_help=True, help=f"Name archives, sign in, see whether they answer. {_SIGN_IN}")
app.add_typer(named, name="archive", short_help="Name archives, sign in, see whether they answer.", epilog="Example: neuraxis archive add ours --url https://archive.example/dicom-web")


@named.command("list", epilog="Example: neuraxis archive list")
def list_archives(as_json: AsJson = False) -> None:
    """The named archives."""
    from neuraxis.app.archive_entries import load_archives

    entries = load_archives()
    if as_json:
        print_json({"archives": [asdict(e) for e in entries]})
    else:
        print("\n".join(f"{e.name}  {e.where}" for e in entries) or "none yet")


@named.command(epilog="Example: neuraxis archive add ours --url https://archive.example/dicom-web")
def add(
    name: str, url: Url = "", host: Host = "", port: Port = 0, aet: Aet = "", own_aet: OwnAet = "NEURAXIS",
    tls: Tls = False, ca_file: CaFile = "", receive_port: ReceivePort = 0, receive_host: ReceiveHost = "",
) -> None:
    """Keep an archive under a name; nothing is contacted, and no credentials are kept with it."""
    from neuraxis.app.archive_entries import ArchiveEntry, keep_archive

    trusted = str(Path(ca_file).resolve()) if ca_file else ""
    keep_archive(ArchiveEntry(name, url, host, port, aet, own_aet, tls, trusted, receive_port, receive_host))
    print(f"{name} is kept")


@named.command(epilog="Example: neuraxis archive remove ours")
def remove(name: str) -> None:
    """Forget an archive."""
    from neuraxis.app.archive_entries import forget_archive

    forget_archive(name)
    print(f"{name} is forgotten")


@named.command(epilog="Example: neuraxis archive check ours")
def check(name: str) -> None:
    """Contact an archive: C-ECHO, or a search for one study."""
    from neuraxis.app.archive import connected
    from neuraxis.app.archive_entries import find_archive

    with connected(find_archive(name)) as archive:
        print(archive.check())


@named.command(epilog="Example: neuraxis archive login ours --user reader")
def login(
    name: str, user: Annotated[str, typer.Option(help="user name; left out, a token is asked for")] = "",
) -> None:
    """Ask for the password or token and keep it in the system keyring."""
    import getpass

    from neuraxis.app.archive import keep_sign_in
    from neuraxis.app.archive_entries import find_archive

    entry = find_archive(name)
    prompt = f"password of {user}: " if user else "token: "
    # a pipe is for scripts; nothing that is typed appears on the screen or in the list of processes
    secret = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise UsageError("nothing was entered", expected=prompt.rstrip(": "))
    keep_sign_in(entry, user, secret)
    print(f"kept in the system keyring for {name}")


@named.command(epilog="Example: neuraxis archive logout ours")
def logout(name: str) -> None:
    """Take the credentials for an archive out of the system keyring."""
    from neuraxis.app.archive import forget_sign_in
    from neuraxis.app.archive_entries import find_archive

    print("taken out of the system keyring" if forget_sign_in(find_archive(name)) else "there were none")

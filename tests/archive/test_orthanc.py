"""A real Orthanc: push, find, pull, compare; killed half-way and resumed; refusals that leave nothing half there."""

from __future__ import annotations

import json
import os
import resource
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.archive.conftest import (
    PASSWORD,
    SERIES,
    STUDY,
    USER,
    Neuraxis,
    Orthanc,
    Valve,
    by_uid,
    environment,
    everything_in,
    free_port,
    instance_bytes,
    pixels_of,
    running_orthanc,
    tls_front,
)

from neuraxis.app.archive import find, pull, push, series_of
from neuraxis.app.archive_entries import ArchiveEntry
from neuraxis.errors import NeuraxisError
from neuraxis.interop.archive.credentials import Credentials
from neuraxis.interop.archive.origin import parse_address
from neuraxis.interop.archive.query import StudyQuery

pytestmark = pytest.mark.slow


def credentials_for(server: Orthanc, entry: ArchiveEntry) -> Credentials | None:
    return server.credentials if entry.url else None


@pytest.fixture
def filled(orthanc: Orthanc, study_folder: Path) -> Orthanc:
    """The server holds the test study."""
    push(orthanc.web, [study_folder], credentials=orthanc.credentials)
    return orthanc


@pytest.mark.parametrize("way", ["web", "dimse"])
def test_what_is_pushed_is_found_and_pulled_back_equal(orthanc: Orthanc, tmp_path: Path, way: str) -> None:
    entry = getattr(orthanc, way)
    known = credentials_for(orthanc, entry)
    own, study = tmp_path / "own", f"1.2.3.{len(way)}"
    own.mkdir()
    for number in range(1, 9):
        content = instance_bytes(number, study_uid=study, series_uid=f"{study}.{1 + number // 5}")
        (own / f"{number}.dcm").write_bytes(content)
    done = push(entry, [own], credentials=known)
    assert (len(done.sent), done.already_there, done.renamed, done.skipped) == (8, (), {}, ())
    again = push(entry, [own], credentials=known)
    assert (again.sent, len(again.already_there)) == ((), 8)

    dated = {"date_from": "2024-01-01", "date_to": "2024-02-01", "study_uid": study}
    for name in ("Müll", "Müller^Änne", "MÜLLER^än", "M*nne", "M?ller*"):
        (found,) = find(entry, StudyQuery(patient_name=name, **dated), credentials=known)
        assert (found.study_uid, found.patient_name, found.patient_id) == (study, "Müller^Änne", "P-77")
    for other in ({"patient_name": "Möll"}, {"date_from": "2024-02-01"}, {"accession": "A-1"}, {"modality": "CT"}):
        assert find(entry, StudyQuery(**{"study_uid": study, **other}), credentials=known) == ()
    assert find(entry, StudyQuery(accession="A-4711", modality="mr", study_uid=study), credentials=known) == (found,)

    got = pull(entry, study, tmp_path / "got", credentials=known)
    assert (got.instances, got.resumed) == (8, 0)
    sent, held = by_uid(own), by_uid(tmp_path / "got")
    assert sent.keys() == held.keys()
    assert [u for u in sent if (pixels_of(sent[u]) != pixels_of(held[u])).any()] == []
    if way == "web":
        assert held == sent, "DICOMweb gives the stored bytes back"


def test_c_move_to_our_own_receiver_brings_the_same(filled: Orthanc, study_folder: Path, tmp_path: Path) -> None:
    done = pull(filled.move, STUDY, tmp_path / "moved", series_uids=[f"{SERIES}.7"])
    assert done.instances == 6
    sent, held = by_uid(study_folder), by_uid(tmp_path / "moved")
    assert len(held) == 6
    assert [u for u in held if (pixels_of(sent[u]) != pixels_of(held[u])).any()] == []
    missing = next((tmp_path / "moved").rglob("*.dcm"))
    missing.unlink()
    assert pull(filled.move, STUDY, tmp_path / "moved", series_uids=[f"{SERIES}.7"]).instances == 6
    assert missing.exists()


def test_the_command_line_finds_and_pulls_with_json(filled: Orthanc, tmp_path: Path, neuraxis: Neuraxis) -> None:
    origin = f"http://127.0.0.1:{filled.web_port}"
    found = neuraxis("find", "--url", f"{origin}/dicom-web", "--json", env=environment(origin))
    assert STUDY in [s["study_uid"] for s in json.loads(found.out)["studies"]]
    dimse = ("--host", "127.0.0.1", "--port", str(filled.dicom_port), "--aet", "ORTHANC")
    pulled = neuraxis("pull", "--study", STUDY, "--series", f"{SERIES}.7", "--to", tmp_path / "got", "--json", *dimse)
    assert (pulled.code, json.loads(pulled.out)["new"]) == (0, 6)
    pushed = neuraxis("push", tmp_path / "got", *dimse)
    assert "6 were there already, equal" in pushed.out
    refused = neuraxis("find", "--url", f"{origin}/dicom-web", env=environment(origin, password="Wrong-Vole-92"))
    assert (refused.code, refused.out) == (1, "")
    assert "refuses the credentials" in refused.err
    assert "Wrong-Vole-92" not in refused.err
    assert neuraxis("find", "--url", origin, "--archive", "x").code == 2


def command(*arguments: str | Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "neuraxis.cli", *map(str, arguments)],
        env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("way", ["web", "dimse"])
def test_a_pull_killed_half_way_goes_on_where_it_was(
    filled: Orthanc, study_folder: Path, tmp_path: Path, valve: Callable[[int], Valve], way: str
) -> None:
    tap = valve(filled.web_port if way == "web" else filled.dicom_port)
    tap.left["down"] = 450_000  # of some million
    origin = f"http://127.0.0.1:{tap.port}"
    if way == "web":
        entry, to_it = ArchiveEntry(url=f"{origin}/dicom-web"), ["--url", f"{origin}/dicom-web"]
        known: Credentials | None = Credentials(parse_address(origin).origin, USER, PASSWORD)
    else:
        entry, to_it = replace(filled.dimse, port=tap.port), ["--host", "127.0.0.1", "--port", str(tap.port), "--aet", "ORTHANC"]
        known = None
    process = command("pull", "--study", STUDY, "--to", tmp_path / "got", *to_it, env=environment(origin))
    try:
        assert tap.is_shut.wait(60), "the transfer never reached its middle"
        time.sleep(0.3)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    whole = by_uid(tmp_path / "got")
    assert 0 < len(whole) < 30
    assert ".neuraxis-transfer" in everything_in(tmp_path / "got")
    tap.left["down"] = float("inf")
    again = pull(entry, STUDY, tmp_path / "got", credentials=known)
    assert (again.resumed, again.new) == (len(whole), 30 - len(whole))
    held, sent = by_uid(tmp_path / "got"), by_uid(study_folder)
    assert held.keys() == sent.keys()
    assert [u for u in whole if held[u] != whole[u]] == []
    if way == "web":
        assert held == sent
    assert [n for n in everything_in(tmp_path / "got") if not n.endswith(".dcm")] == [SERIES, f"{SERIES}.7"]


def test_a_push_killed_half_way_leaves_whole_instances_and_is_completed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, study_folder: Path, valve: Callable[[int], Valve]
) -> None:
    with running_orthanc(tmp_path_factory.mktemp("orthanc-push")) as server:
        tap = valve(server.dicom_port)
        tap.left["up"] = 400_000
        process = command("push", study_folder, "--host", "127.0.0.1", "--port", str(tap.port), "--aet", "ORTHANC", env=environment())
        try:
            assert tap.is_shut.wait(60)
            time.sleep(0.3)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        tap.close()
        half = sum(s.instances or 0 for s in series_of(server.dimse, STUDY))
        assert 0 < half < 30
        done = push(server.web, [study_folder], credentials=server.credentials)
        assert (len(done.already_there), len(done.sent)) == (half, 30 - half)
        pull(server.web, STUDY, tmp_path / "got", credentials=server.credentials)
        sent, held = by_uid(study_folder), by_uid(tmp_path / "got")
        assert sent.keys() == held.keys()
        assert [u for u in sent if (pixels_of(sent[u]) != pixels_of(held[u])).any()] == []


def test_a_wrong_password_is_told_and_nothing_is_made(filled: Orthanc, tmp_path: Path) -> None:
    wrong = Credentials(parse_address(filled.web.url).origin, USER, "Wrong-Vole-92")
    with pytest.raises(NeuraxisError, match="refuses the credentials") as told:
        pull(filled.web, STUDY, tmp_path / "got", credentials=wrong)
    assert "Wrong-Vole-92" not in str(told.value)
    assert "login" in told.value.remedy
    assert everything_in(tmp_path) == []
    with pytest.raises(NeuraxisError, match="refuses a request without credentials"):
        push(filled.web, [next(iter(filled_files(tmp_path)))])


def filled_files(folder: Path) -> Iterator[Path]:
    (folder / "one.dcm").write_bytes(instance_bytes(1))
    yield folder / "one.dcm"


# pynetdicom drops the socket of a refused connection without closing it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_not_there_is_told(filled: Orthanc, tmp_path: Path) -> None:
    for entry in (filled.web, filled.dimse):
        with pytest.raises(NeuraxisError, match="does not list that study"):
            pull(entry, "1.2.3.4", tmp_path / "got", credentials=credentials_for(filled, entry))
    assert everything_in(tmp_path) == []
    with pytest.raises(NeuraxisError, match="nobody listens there"):
        find(ArchiveEntry(host="127.0.0.1", port=free_port(), aet="ORTHANC"), StudyQuery())
    with pytest.raises(NeuraxisError, match="does not speak DICOM"):
        find(ArchiveEntry(host="127.0.0.1", port=filled.web_port, aet="ORTHANC"), StudyQuery())


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """No file may grow to the size of an instance, as if the disk were full at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("way", ["web", "dimse", "move"])
def test_a_full_disk_is_told_and_nothing_half_stays(filled: Orthanc, tmp_path: Path, small_files_only: None, way: str) -> None:
    entry = getattr(filled, way)
    with pytest.raises(NeuraxisError, match="cannot write below got: File too large") as told:
        pull(entry, STUDY, tmp_path / "got", credentials=credentials_for(filled, entry))
    assert "make room" in told.value.remedy
    assert everything_in(tmp_path) == []


def test_a_disk_that_fills_up_on_the_way_keeps_whole_instances_and_goes_on(filled: Orthanc, study_folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", small], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no right to mount a small disk here")
    try:
        with pytest.raises(NeuraxisError, match="No space left") as told:
            pull(filled.web, STUDY, small / "got", credentials=filled.credentials)
        assert "goes on from there" in told.value.remedy
        whole = by_uid(small / "got")
        sent = by_uid(study_folder)
        assert 0 < len(whole) < 30
        assert all(sent[u] == c for u, c in whole.items())
        subprocess.run(["mount", "-o", "remount,size=4m", small], check=True)
        done = pull(filled.web, STUDY, small / "got", credentials=filled.credentials)
        assert done.resumed == len(whole)
        assert by_uid(small / "got") == sent
    finally:
        subprocess.run(["umount", small], check=True)


def certificates(name: str, folder: Path) -> tuple[Path, ssl.SSLContext]:
    """File with the authority's certificate, and what a server needs that it vouches for as `name`."""
    import trustme

    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    file = folder / f"authority-of-{name}.pem"
    authority.cert_pem.write_to_path(file)
    return file, context


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_is_verified(filled: Orthanc, tmp_path: Path) -> None:
    authority, context = certificates("127.0.0.1", tmp_path)
    stranger, _ = certificates("archive.example", tmp_path)
    with tls_front(filled.web_port, context) as web, tls_front(filled.dicom_port, context) as dicom:
        url = f"https://127.0.0.1:{web}/dicom-web"
        signed = Credentials(parse_address(url).origin, USER, PASSWORD)
        trusting = ArchiveEntry(url=url, ca_file=str(authority))
        assert pull(trusting, STUDY, tmp_path / "web", credentials=signed).instances == 30
        dimse = ArchiveEntry(host="127.0.0.1", port=dicom, aet="ORTHANC", tls=True, ca_file=str(authority))
        assert pull(dimse, STUDY, tmp_path / "dimse", series_uids=[f"{SERIES}.7"]).instances == 6
        wrong = [replace(e, ca_file=ca) for e in (trusting, dimse) for ca in ("", str(stranger))]
        for entry in wrong:
            with pytest.raises(NeuraxisError, match=r"certificate of .*127.0.0.1:[0-9]+ is not trusted"):
                pull(entry, STUDY, tmp_path / "no", credentials=signed if entry.url else None)
        with pytest.raises(NeuraxisError, match=r"not trusted: .*[Hh]ostname mismatch"):
            find(replace(trusting, url=url.replace("127.0.0.1", "localhost")), StudyQuery())
        with pytest.raises(NeuraxisError, match="hung up"):
            find(ArchiveEntry(url=url.replace("https", "http")), StudyQuery())
        assert not (tmp_path / "no").exists()

"""The receiving folder's journal and lock; where credentials come from; what is kept of an archive."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from tests.archive.conftest import PASSWORD, SERIES, STUDY, USER, Neuraxis, by_uid, everything_in, instance_bytes

from neuraxis.app.archive import connected, forget_sign_in, keep_sign_in
from neuraxis.app.archive_entries import (
    ArchiveEntry,
    archives_file,
    find_archive,
    forget_archive,
    keep_archive,
    load_archives,
)
from neuraxis.errors import NeuraxisError, ReadError, UsageError, WriteError
from neuraxis.interop.archive.credentials import ENVIRONMENT, find_credentials
from neuraxis.interop.archive.failures import ArchiveError
from neuraxis.interop.archive.incoming import TRANSFER, StudyFolder
from neuraxis.interop.archive.origin import parse_address
from neuraxis.interop.archive.query import InstanceKey, StudyQuery

KEYS = [InstanceKey(STUDY, SERIES, f"{SERIES}.{n}") for n in (1, 2, 3)]
URL = "https://archive.example/dw"


def take(folder: StudyFolder, *numbers: int) -> None:
    for number in numbers:
        with folder.receive() as incoming:
            incoming.write(instance_bytes(number))


def test_a_transfer_goes_on_from_its_journal_even_where_its_last_line_is_torn(tmp_path: Path) -> None:
    with StudyFolder(tmp_path, KEYS, 1 << 20) as folder:
        take(folder, 1, 2)
    journal = tmp_path / TRANSFER / "journal.jsonl"
    journal.write_text(journal.read_text()[:-30])
    (tmp_path / TRANSFER / "123.part").write_bytes(b"half")
    with StudyFolder(tmp_path, KEYS, 1 << 20) as folder:
        assert [k.sop_uid for k in folder.missing()] == [f"{SERIES}.2", f"{SERIES}.3"]
        take(folder, 2)
    with StudyFolder(tmp_path, KEYS, 1 << 20) as folder:
        assert [k.sop_uid for k in folder.missing()] == [f"{SERIES}.3"]
        take(folder, 3)
    assert everything_in(tmp_path) == [SERIES, *(f"{SERIES}/{SERIES}.{n}.dcm" for n in (1, 2, 3))]


def test_a_file_that_was_changed_meanwhile_is_neither_believed_nor_overwritten(tmp_path: Path) -> None:
    with StudyFolder(tmp_path, KEYS, 1 << 20) as folder:
        take(folder, 1, 2)
        place = folder.path_of(KEYS[0])
    place.write_bytes(place.read_bytes()[:-1] + b"x")
    changed = place.read_bytes()
    with StudyFolder(tmp_path, KEYS, 1 << 20) as folder:
        assert KEYS[0] in folder.missing()
        with pytest.raises(WriteError, match="holds something else"):
            take(folder, 1)
    assert place.read_bytes() == changed


def test_a_failure_in_the_middle_of_an_instance_leaves_nothing_of_it(tmp_path: Path) -> None:
    with StudyFolder(tmp_path / "a" / "b", KEYS, 1 << 20) as folder:
        with pytest.raises(ArchiveError, match="ends early"), folder.receive() as incoming:
            incoming.write(instance_bytes(1)[:5000])
        with pytest.raises(ArchiveError, match="more than"), folder.receive() as incoming:
            incoming.write(bytes(2 << 20))
    assert everything_in(tmp_path) == []


def test_two_transfers_into_one_folder_are_refused(tmp_path: Path) -> None:
    with StudyFolder(tmp_path, KEYS, 1 << 20) as folder:
        with pytest.raises(WriteError, match="another program is receiving"), StudyFolder(tmp_path, KEYS, 1 << 20):
            pass
        take(folder, 1, 2, 3)
    assert len(by_uid(tmp_path)) == 3


def environment(**values: str) -> dict[str, str]:
    return {ENVIRONMENT[k]: v for k, v in values.items()}


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A keyring in memory."""
    keyring = pytest.importorskip("keyring")

    class Memory(keyring.backend.KeyringBackend):  # type: ignore[name-defined]
        priority = 1

        def __init__(self) -> None:
            super().__init__()
            self.kept: dict[tuple[str, str], str] = {}

        def get_password(self, service: str, username: str) -> str | None:
            return self.kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            if self.kept.pop((service, username), None) is None:
                raise keyring.errors.PasswordDeleteError

    before = keyring.get_keyring()
    memory = Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


def test_credentials_of_the_environment_are_for_the_origin_that_it_names(ring: Any) -> None:
    origin, other = parse_address(URL).origin, parse_address("https://archive.example:444/dw").origin
    given = environment(origin="https://archive.example", user=USER, password=PASSWORD)
    found = find_credentials(origin, given)
    assert found is not None
    assert found.authorization(origin) == "Basic cmVhZGVyOlF1YXJ0ei1Wb2xlLTkx"
    assert find_credentials(other, given) is None
    token = find_credentials(origin, environment(origin=URL, token="abc"))
    assert token is not None
    assert token.authorization(origin) == "Bearer abc"
    assert find_credentials(origin, {}) is None
    with pytest.raises(NeuraxisError, match="does not say which archive") as told:
        find_credentials(origin, environment(user=USER, password=PASSWORD))
    assert PASSWORD not in str(told.value)


def test_the_keyring_keeps_credentials_by_origin_and_no_file_does(ring: Any, tmp_path: Path) -> None:
    entry = ArchiveEntry(name="ours", url=URL)
    keep_archive(entry)
    keep_sign_in(entry, USER, PASSWORD)
    found = find_credentials(parse_address("https://ARCHIVE.example:443/other/path").origin, {})
    assert found is not None
    assert found.authorization(parse_address(URL).origin) is not None
    assert find_credentials(parse_address("https://other.example/").origin, {}) is None
    files = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert files
    assert not [f for f in files if PASSWORD.encode() in f or USER.encode() in f]
    assert forget_sign_in(entry)
    assert not forget_sign_in(entry)
    ring.kept["neuraxis https://archive.example", "neuraxis"] = '{"password": "' + PASSWORD
    with pytest.raises(NeuraxisError, match="cannot be read") as told:
        find_credentials(parse_address(URL).origin, {})
    assert PASSWORD not in str(told.value)
    with pytest.raises(UsageError, match="knows no sign-in"):
        keep_sign_in(ArchiveEntry(host="x", port=1, aet="A"), USER, PASSWORD)


def test_named_archives_are_kept_without_credentials() -> None:
    assert load_archives() == ()
    web, dimse = ArchiveEntry(name="web", url=URL), ArchiveEntry(name="dimse", host="h", port=104, aet="A", tls=True)
    keep_archive(web)
    keep_archive(dimse)
    assert load_archives() == (dimse, web)
    assert find_archive("dimse") == dimse
    forget_archive("dimse")
    with pytest.raises(UsageError, match="no archive is named 'dimse'"):
        find_archive("dimse")
    for bad in ({"url": "https://u:p@x/"}, {"url": URL, "host": "h"}, {"host": "h"}, {}):
        with pytest.raises(UsageError):
            keep_archive(ArchiveEntry(name="bad", **bad))  # type: ignore[arg-type]
    archives_file().write_text("{")
    with pytest.raises(ReadError, match=r"archives\.json cannot be read"):
        keep_archive(dimse)
    assert archives_file().read_text() == "{"


@pytest.mark.parametrize("query", [
    StudyQuery(date_from="2024-13-01"), StudyQuery(date_from="20240201", date_to="20240101"), StudyQuery(patient_name="a\\b"),
    StudyQuery(patient_id="a\nb"), StudyQuery(study_uid="1.2/../3"),
])
def test_a_search_that_cannot_be_meant_is_refused(query: StudyQuery) -> None:
    with pytest.raises(UsageError):
        query.elements()


def test_without_pynetdicom_dimse_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from neuraxis.interop.archive import dimse_association

    monkeypatch.setattr(dimse_association, "find_spec", lambda _name: None)
    with pytest.raises(NeuraxisError, match=r'DIMSE needs pynetdicom.*pip install "neuraxis\[archive\]"'), \
            connected(ArchiveEntry(host="127.0.0.1", port=104, aet="A")):
        pass


def test_the_command_line_names_archives_and_takes_a_secret_from_standard_input_only(
    neuraxis: Neuraxis, ring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert neuraxis("archive", "add", "ours", "--url", URL).code == 0
    listed = json.loads(neuraxis("archive", "list", "--json").out)["archives"]
    assert [(e["name"], e["url"]) for e in listed] == [("ours", URL)]
    assert not {"user", "password", "token"} & set(listed[0])
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    assert neuraxis("archive", "login", "ours", "--user", USER).code == 0
    assert PASSWORD in next(iter(ring.kept.values()))
    assert neuraxis("archive", "login", "ours", "--password", PASSWORD[::-1]).code == 2
    assert "taken out" in neuraxis("archive", "logout", "ours").out
    assert ring.kept == {}
    assert neuraxis("archive", "remove", "ours").code == 0
    assert neuraxis("find", "--archive", "ours").code == 1


@pytest.mark.parametrize("command", [["find"], ["pull"], ["push"], ["archive", "add"], ["archive", "login"], ["archive", "check"]])
def test_every_command_has_help_with_an_example(neuraxis: Neuraxis, command: list[str]) -> None:
    run = neuraxis(*command, "--help")
    assert run.code == 0
    assert f"Example: neuraxis {' '.join(command)}" in " ".join(run.out.split())

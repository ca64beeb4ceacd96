"""A hostile DIMSE archive on loopback: a clear message, nothing stored."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from tests.archive.conftest import QUICK, SERIES, STUDY, Valve, by_uid, everything_in, free_port, instance_bytes

from neuraxis.app.archive import connected
from neuraxis.app.archive_entries import ArchiveEntry
from neuraxis.errors import CancelledError, NeuraxisError
from neuraxis.interop.archive.query import StudyQuery
from neuraxis.interop.archive.transfer import Pulled, pull
from neuraxis.interop.archive.watch import never

# pynetdicom drops the sockets of connections that end badly without closing them
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

Raw = Callable[[socket.socket], None]


@pytest.fixture
def raw_server() -> Iterator[Callable[[Raw], ArchiveEntry]]:
    """A server that does with a connection what it is told."""
    servers: list[socket.socket] = []

    def start(behaviour: Raw) -> ArchiveEntry:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        def serve(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                behaviour(connection)

        threading.Thread(target=accept, daemon=True).start()
        return ArchiveEntry(host="127.0.0.1", port=int(server.getsockname()[1]), aet="EVIL")

    yield start
    for each in servers:
        each.close()


def flood(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    connection.sendall(struct.pack(">BBI", 4, 0, 0xFFFFFFF0))
    while True:
        connection.sendall(bytes(1 << 16))


def drip(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    for byte in struct.pack(">BBI", 2, 0, 100_000) + bytes(100_000):
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


RAW: dict[str, tuple[Raw, str]] = {
    "silent": (lambda c: time.sleep(6), "fell silent for 1.5 s"),
    "hangs up": (lambda c: None, "does not speak DICOM|hung up"),
    "a PDU of 4 GB": (flood, "announces a PDU of 4,294,967,280 bytes"),
    "dripping": (drip, "sends too slowly|fell silent"),
    "HTTP": (lambda c: c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "does not speak DICOM"),
}


@pytest.mark.parametrize("name", RAW)
def test_what_is_no_archive_is_told(raw_server: Callable[[Raw], ArchiveEntry], name: str) -> None:
    behaviour, message = RAW[name]
    with connected(raw_server(behaviour), limits=QUICK) as archive, pytest.raises(NeuraxisError, match=message) as told:
        archive.find_studies(StudyQuery(), 10)
    assert told.value.remedy


class Scp:
    """A DIMSE archive whose answers a test chooses."""

    def __init__(self, instances: list[bytes], find_count: int = 0, reject: bool = False) -> None:
        from pynetdicom import AE, StoragePresentationContexts, evt
        from pynetdicom.sop_class import (  # type: ignore[attr-defined]
            StudyRootQueryRetrieveInformationModelFind,
            StudyRootQueryRetrieveInformationModelGet,
        )

        self.instances, self.find_count = [pydicom.dcmread(io.BytesIO(i)) for i in instances], find_count
        self.stopped = False
        entity = AE("SCP")
        if reject:
            entity.require_calling_aet = ["SOMEBODY"]
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
        for context in StoragePresentationContexts:
            entity.add_supported_context(str(context.abstract_syntax), scp_role=True, scu_role=True)
        self.port = free_port()
        self.server: Any = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_FIND, self.find), (evt.EVT_C_GET, self.get)],
        )

    @property
    def entry(self) -> ArchiveEntry:
        return ArchiveEntry(host="127.0.0.1", port=self.port, aet="SCP")

    def find(self, event: Any) -> Iterator[Any]:
        level = event.identifier.QueryRetrieveLevel
        number = 0
        while number < max(self.find_count, 1) and not self.stopped:
            number += 1
            answer = pydicom.Dataset()
            answer.QueryRetrieveLevel = level
            answer.StudyInstanceUID, answer.SeriesInstanceUID = f"{STUDY}.{number}" if self.find_count else STUDY, SERIES
            answer.SOPInstanceUID, answer.SOPClassUID = f"{SERIES}.1", "1.2.840.10008.5.1.4.1.1.4"
            yield 0xFF00, answer

    def get(self, event: Any) -> Iterator[Any]:
        yield len(self.instances)
        for instance in self.instances:
            yield 0xFF00, instance


@pytest.fixture
def scp() -> Iterator[Callable[..., Scp]]:
    made: list[Scp] = []

    def start(*arguments: Any, **more: Any) -> Scp:
        made.append(Scp(*arguments, **more))
        return made[-1]

    yield start
    for each in made:
        each.stopped = True
        each.server.shutdown()


def pulled(entry: ArchiveEntry, folder: Path, should_stop: Callable[[], bool] = never) -> Pulled:
    with connected(entry, limits=QUICK, should_stop=should_stop) as archive:
        return pull(archive, STUDY, folder, progress=lambda _f, _t: None, should_stop=should_stop)


def test_an_honest_archive_is_pulled(scp: Callable[..., Scp], tmp_path: Path) -> None:
    assert pulled(scp([instance_bytes(1)]).entry, tmp_path / "got").new == 1
    assert list(by_uid(tmp_path / "got")) == [f"{SERIES}.1"]


@pytest.mark.parametrize(("sent", "message"), [
    (instance_bytes(9), "was not asked for"),
    (instance_bytes(1, series_uid="1.2.3", sop_uid=f"{SERIES}.1"), "was not asked for"),
    (instance_bytes(1, rows=900), "an instance of more than 1,048,576 bytes"),
])
def test_an_instance_that_is_not_what_was_asked_for_is_not_kept(
    scp: Callable[..., Scp], tmp_path: Path, sent: bytes, message: str
) -> None:
    with pytest.raises(NeuraxisError, match=message):
        pulled(scp([sent]).entry, tmp_path / "got")
    assert everything_in(tmp_path) == []


def test_an_archive_that_sends_less_than_it_lists_is_told(scp: Callable[..., Scp], tmp_path: Path) -> None:
    with pytest.raises(NeuraxisError, match="lists 1 instances and sent 0"):
        pulled(scp([]).entry, tmp_path / "got")
    assert everything_in(tmp_path) == []


def test_an_endless_list_ends_at_the_limit(scp: Callable[..., Scp]) -> None:
    endless = scp([], find_count=10**9)
    with connected(endless.entry, limits=QUICK) as archive:
        assert len(archive.find_studies(StudyQuery(), 7)) == 7
        with pytest.raises(NeuraxisError, match="lists more than 200 entries"):
            archive.list_series(STUDY)


def test_an_archive_that_does_not_know_us_is_told(scp: Callable[..., Scp]) -> None:
    with connected(scp([], reject=True).entry, limits=QUICK) as archive, \
            pytest.raises(NeuraxisError, match="refuses NEURAXIS: Calling AE title not recognised") as told:
        archive.check()
    assert "--own-aet" in told.value.remedy


def test_stopping_takes_effect_in_the_middle_of_a_transfer(
    scp: Callable[..., Scp], valve: Callable[[int], Valve], tmp_path: Path
) -> None:
    server = scp([instance_bytes(1)])
    tap = valve(server.port)
    tap.left["down"] = 12_000
    entry = ArchiveEntry(host="127.0.0.1", port=tap.port, aet="SCP")
    with pytest.raises(CancelledError):
        pulled(entry, tmp_path / "got", should_stop=tap.is_shut.is_set)
    assert everything_in(tmp_path) == []


def test_our_receiver_takes_nothing_from_strangers_titles(tmp_path: Path) -> None:
    from pynetdicom import AE, build_context

    from neuraxis.interop.archive.dimse_association import DimseLine, DimsePeer
    from neuraxis.interop.archive.dimse_receiving import InstanceTaker, receiver
    from neuraxis.interop.archive.incoming import StudyFolder
    from neuraxis.interop.archive.watch import Watch

    peer = DimsePeer("127.0.0.1", 104, "ARCHIVE", receive_port=free_port())
    instance = pydicom.dcmread(io.BytesIO(instance_bytes(1)))
    kind = [str(instance.SOPClassUID)]
    with Watch("it", QUICK) as watch, StudyFolder(tmp_path / "got", [], 1 << 20) as folder:
        taker = InstanceTaker(folder)
        with receiver(DimseLine(peer, QUICK), kind, taker, watch):
            wrong = AE("X").associate("127.0.0.1", peer.receive_port or 0, [build_context(kind[0])], ae_title="OTHER")
            assert wrong.is_rejected
            right = AE("X").associate("127.0.0.1", peer.receive_port or 0, [build_context(kind[0])], ae_title="NEURAXIS")
            assert right.is_established
            assert right.send_c_store(instance).Status == 0xC000
            right.abort()
    assert "was not asked for" in str(taker.failure)
    assert everything_in(tmp_path) == []

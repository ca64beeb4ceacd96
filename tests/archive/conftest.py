"""A real Orthanc on loopback, a study to send it, hostile servers, and the command line in a process of its own."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuraxis.app.archive_entries import ArchiveEntry
from neuraxis.interop.archive.credentials import Credentials
from neuraxis.interop.archive.origin import parse_address
from neuraxis.interop.archive.watch import Limits

USER, PASSWORD = "reader", "Quartz-Vole-91"
STUDY, SERIES = "1.2.826.0.1.3680043.10.999.1", "1.2.826.0.1.3680043.10.999.1.1"
QUICK = Limits(connect_s=2, silence_s=1.5, least_bytes_per_s=20_000, answer_bytes=1 << 16, instance_bytes=1 << 20, results=200)
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def instance_bytes(
    number: int = 1, *, sop_uid: str = "", series_uid: str = SERIES, study_uid: str = STUDY, rows: int = 128, seed: int = 0
) -> bytes:
    """One MR instance of the test study; the same arguments give the same bytes."""
    import io

    from pydicom import dcmwrite
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

    d = Dataset()
    d.SpecificCharacterSet = "ISO_IR 192"
    d.SOPClassUID, d.SOPInstanceUID = MRImageStorage, sop_uid or f"{series_uid}.{number}"
    d.StudyInstanceUID, d.SeriesInstanceUID = study_uid, series_uid
    d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = "Müller^Änne", "P-77", "", ""
    d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber = "20240115", "101500", "1", "A-4711"
    d.ReferringPhysicianName = ""
    d.Modality, d.SeriesNumber, d.InstanceNumber, d.SeriesDescription = "MR", 1, number, "T1"
    d.FrameOfReferenceUID, d.ImageType = f"{STUDY}.9", ["ORIGINAL", "PRIMARY"]
    d.ImagePositionPatient, d.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    d.PixelSpacing, d.SliceThickness = [1, 1], 1
    d.Rows = d.Columns = rows
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    pixels = np.random.default_rng((number, seed)).integers(0, 4096, (rows, rows), dtype=np.uint16)
    d.PixelData = pixels.astype("<u2").tobytes()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.file_meta.MediaStorageSOPClassUID, d.file_meta.MediaStorageSOPInstanceUID = MRImageStorage, UID(d.SOPInstanceUID)
    stream = io.BytesIO()
    dcmwrite(stream, d, enforce_file_format=True)
    return stream.getvalue()


@pytest.fixture(scope="session")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two series, 24 and 6 instances of some 33 kB."""
    folder = tmp_path_factory.mktemp("study")
    for series, count in ((SERIES, 24), (f"{SERIES}.7", 6)):
        for number in range(1, count + 1):
            (folder / f"{series[-2:].strip('.')}-{number}.dcm").write_bytes(instance_bytes(number, series_uid=series))
    return folder


def by_uid(folder: Path) -> dict[str, bytes]:
    """Bytes of every DICOM file below a folder by SOP Instance UID."""
    import pydicom

    files = [f for f in sorted(folder.rglob("*.dcm")) if f.is_file()]
    return {str(pydicom.dcmread(f, stop_before_pixels=True).SOPInstanceUID): f.read_bytes() for f in files}


def pixels_of(content: bytes) -> Any:
    import pydicom

    return pydicom.dcmread(pydicom.filebase.DicomBytesIO(content)).pixel_array


def everything_in(folder: Path) -> list[str]:
    """What is in a folder, hidden or not."""
    return [] if not folder.exists() else sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@dataclass
class Orthanc:
    """A running server."""

    web_port: int
    dicom_port: int
    move_port: int
    process: subprocess.Popen[bytes]

    @property
    def web(self) -> ArchiveEntry:
        return ArchiveEntry(url=f"http://127.0.0.1:{self.web_port}/dicom-web")

    @property
    def dimse(self) -> ArchiveEntry:
        return ArchiveEntry(host="127.0.0.1", port=self.dicom_port, aet="ORTHANC")

    @property
    def move(self) -> ArchiveEntry:
        return ArchiveEntry(host="127.0.0.1", port=self.dicom_port, aet="ORTHANC", receive_port=self.move_port)

    @property
    def credentials(self) -> Credentials:
        return Credentials(parse_address(self.web.url).origin, USER, PASSWORD)


@contextlib.contextmanager
def running_orthanc(folder: Path) -> Iterator[Orthanc]:
    """Orthanc with its DICOMweb plugin on free loopback ports; skips where it is not installed."""
    program = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or not PLUGIN.exists():
        pytest.skip("Orthanc with its DICOMweb plugin is not installed")
    web, dicom, move = free_port(), free_port(), free_port()
    configuration = {
        "Name": "test", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"), "HttpPort": web,
        "DicomPort": dicom, "RemoteAccessAllowed": False, "AuthenticationEnabled": True, "RegisteredUsers": {USER: PASSWORD},
        "Plugins": [str(PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}, "DicomCheckCalledAet": False,
        "DicomAlwaysAllowGet": True, "DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True,
        "DicomAlwaysAllowStore": True, "DicomModalities": {"ours": ["NEURAXIS", "127.0.0.1", move]},
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps(configuration))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([program, str(file)], stdout=log, stderr=log)
    try:
        for port in (web, dicom):
            _wait_for(port, process)
        yield Orthanc(web, dicom, move, process)
    finally:
        process.kill()  # what it holds is thrown away with it
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "Orthanc ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    pytest.fail("Orthanc does not listen")


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


class Valve:
    """Forwards a port and can be shut after so many bytes in one direction, so that a transfer stands still half-way."""

    def __init__(self, target: int) -> None:
        self.target, self.left = target, dict[str, float]({"down": float("inf"), "up": float("inf")})
        self.is_shut = threading.Event()
        self._ends: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                self._ends += [near, far]
                for a, b, way in ((near, far, "up"), (far, near, "down")):
                    threading.Thread(target=self._copy, args=(a, b, way), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(4096):
                while self.left[way] <= 0:
                    self.is_shut.set()
                    time.sleep(0.01)
                self.left[way] -= len(block)
                sink.sendall(block)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Drop everything that is connected or wants to be."""
        self.left = {"down": float("inf"), "up": float("inf")}
        self._server.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextlib.contextmanager
def tls_front(target: int, context: ssl.SSLContext) -> Iterator[int]:
    """Port that takes TLS and passes on to a plain one, as a proxy before an archive does.

    (Orthanc 1.10.1 of Debian 12 ends with a segmentation fault at the first TLS connection.)
    """
    server = socket.create_server(("127.0.0.1", 0))

    def serve_one(near: socket.socket) -> None:
        with contextlib.suppress(OSError), near, context.wrap_socket(near, server_side=True) as safe, \
                socket.create_connection(("127.0.0.1", target)) as far:
            while True:
                ready = [safe] if safe.pending() else select.select([safe, far], [], [])[0]
                for source, sink in ((safe, far), (far, safe)):
                    if source in ready:
                        block = source.recv(1 << 16)
                        if not block:
                            return
                        sink.sendall(block)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve_one, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield int(server.getsockname()[1])
    server.close()


@pytest.fixture
def valve() -> Iterator[Callable[[int], Valve]]:
    made: list[Valve] = []

    def make(port: int) -> Valve:
        made.append(Valve(port))
        return made[-1]

    yield make
    for each in made:
        each.close()


Behaviour = Callable[[http.server.BaseHTTPRequestHandler], None]


@dataclass
class WebServer:
    """A loopback server that answers as it is told, and keeps what it was asked."""

    behaviour: Behaviour
    port: int = 0
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, target and Authorization header of each request."""

    @property
    def entry(self) -> ArchiveEntry:
        return ArchiveEntry(url=f"http://127.0.0.1:{self.port}/dw")

    @property
    def credentials(self) -> Credentials:
        return Credentials(parse_address(self.entry.url).origin, USER, PASSWORD)


@pytest.fixture
def serve() -> Iterator[Callable[[Behaviour], WebServer]]:
    """Start a server with a behaviour."""
    running: list[http.server.ThreadingHTTPServer] = []

    def start(behaviour: Behaviour) -> WebServer:
        web = WebServer(behaviour)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                web.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
                with contextlib.suppress(OSError):
                    web.behaviour(self)
                self.close_connection = True

            do_POST = do_GET  # noqa: N815

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.block_on_close = False
        web.port = int(server.server_address[1])
        running.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return web

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str


def environment(origin: str = "", user: str = USER, password: str = PASSWORD) -> dict[str, str]:
    """Variables with which a program signs in to `origin`."""
    if not origin:
        return {}
    return {"NEURAXIS_ARCHIVE_ORIGIN": origin, "NEURAXIS_ARCHIVE_USER": user, "NEURAXIS_ARCHIVE_PASSWORD": password}


Neuraxis = Callable[..., Run]


@pytest.fixture
def neuraxis(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Neuraxis:
    """The command line with arguments and variables of the environment; no password may ever appear."""

    def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Run:
        from neuraxis.cli import main

        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = 0
        try:
            main([str(a) for a in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        assert PASSWORD not in err + out
        return Run(code, out, err)

    return run

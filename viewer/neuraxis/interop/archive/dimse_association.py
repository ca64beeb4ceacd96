"""One DIMSE association at a time: who speaks to whom, verified TLS, limits, and why it did not come about."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuraxis.errors import NeuraxisError, UsageError
from neuraxis.interop.archive.failures import ArchiveError, NotTrustedError
from neuraxis.interop.archive.watch import Limits, Watch, never
from neuraxis.interop.archive.web_transport import tls_context, unreachable

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.association import Association
    from pynetdicom.events import Event
    from pynetdicom.presentation import PresentationContext
    from pynetdicom.sop_class import SOPClass

PDU_BYTES = 1 << 17
OWN_TITLE = "NEURAXIS"
MAX_CONTEXTS = 126
"""Of 128 that an association may propose (PS3.8 7.1.1.13), with two left for the query."""


def require_pynetdicom() -> None:
    """Raise where the package for DIMSE is not installed."""
    if find_spec("pynetdicom") is None:
        raise NeuraxisError(
            "DIMSE needs pynetdicom", expected="the archive extra", remedy='pip install "neuraxis[archive]"'
        )


@dataclass(frozen=True)
class DimsePeer:
    """An archive's application entity, and ours.

    Parameters
    ----------
    title : application entity title of the archive
    own_title : ours, as the archive knows it
    tls : whether the connection is encrypted and the archive's certificate verified
    ca_file : certificates (PEM) of those who may vouch for the archive, in place of the system's
    receive_port : where we listen for C-MOVE; None retrieves by C-GET, which needs no listening
    receive_host : address on which we listen
    """

    host: str
    port: int
    title: str
    own_title: str = OWN_TITLE
    tls: bool = False
    ca_file: Path | None = None
    receive_port: int | None = None
    receive_host: str = "127.0.0.1"

    def __post_init__(self) -> None:
        for title in (self.title, self.own_title):
            if not title.strip() or len(title) > 16 or not title.isascii() or not title.isprintable() or "\\" in title:
                raise UsageError("an application entity title of a wrong form", expected="1 to 16 ASCII characters")
        if not (0 < self.port < 65536 and 0 <= (self.receive_port or 0) < 65536):
            raise UsageError("a port out of range", expected="1 to 65535")

    @property
    def name(self) -> str:
        """In a message."""
        return f"{self.title} at {self.host}:{self.port}"


class DimseLine:
    """Makes associations with one archive.

    A PDU that claims more than was negotiated is refused before it is read: pynetdicom would hold it in memory.
    """

    def __init__(self, peer: DimsePeer, limits: Limits | None = None, should_stop: Callable[[], bool] = never) -> None:
        require_pynetdicom()
        self.peer, self.limits, self._should_stop = peer, limits or Limits(), should_stop
        self._tls = tls_context(peer.ca_file) if peer.tls else None

    def entity(self) -> ApplicationEntity:
        """Our application entity with its limits."""
        from pynetdicom import AE, _config

        # identifiers hold patient names, which belong in no log
        _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
        _config.STORE_SEND_CHUNKED_DATASET = True  # files go out as they are, not decoded and encoded anew
        entity = AE(ae_title=self.peer.own_title)
        entity.connection_timeout = entity.acse_timeout = self.limits.connect_s
        entity.dimse_timeout = entity.network_timeout = None  # the watch sees each PDU, not only whole messages
        entity.maximum_pdu_size = PDU_BYTES
        return entity

    @contextmanager
    def association(
        self, contexts: Sequence[PresentationContext], *, receive: Callable[[Event], int] | None = None,
        store_classes: Sequence[str] = (),
    ) -> Iterator[tuple[Association, Watch]]:
        """An established association and its watch; released at the end, aborted after an error.

        Parameters
        ----------
        receive : what is done with each instance that comes over it (C-GET), returning a status
        store_classes : of those instances
        """
        from pynetdicom import build_role, evt

        with Watch(self.peer.name, self.limits, self._should_stop) as watch, closed_at_the_end() as opened:
            handlers: list[Any] = [(evt.EVT_CONN_OPEN, lambda event: bound_pdus(event.assoc, watch, opened, guarded=True))]
            if receive is not None:
                handlers.append((evt.EVT_C_STORE, receive))
            with watch.waiting():
                association = self.entity().associate(
                    self.peer.host, self.peer.port, list(contexts), ae_title=self.peer.title,
                    ext_neg=[build_role(uid, scp_role=True) for uid in store_classes], evt_handlers=handlers,
                    tls_args=None if self._tls is None else (self._tls, self.peer.host),
                )
            if not association.is_established:
                raise self._not_established(association)
            try:
                yield association, watch
            except BaseException:
                association.abort()
                raise
            association.release()

    def require_context(self, association: Association, sop_class: SOPClass, service: str) -> None:
        """Raise where the archive has not accepted a service."""
        if all(c.abstract_syntax != sop_class for c in association.accepted_contexts):
            raise ArchiveError(
                f"{self.peer.name} does not offer {service} to {self.peer.own_title}", expected="that service",
                remedy="let whoever runs the archive allow it, or use DICOMweb",
            )

    def broken_off(self) -> ArchiveError:
        """The association is gone without an answer."""
        return ArchiveError(
            f"{self.peer.name} broke the connection off", expected="an answer",
            remedy="try again; what was complete is kept",
        )

    def _not_established(self, association: Association) -> ArchiveError:
        if association.is_rejected:
            answer = association.acceptor.primitive
            return ArchiveError(
                f"{self.peer.name} refuses {self.peer.own_title}: {getattr(answer, 'reason_str', 'no reason given')}",
                expected="an archive that knows both application entity titles",
                remedy="check --aet and --own-aet; whoever runs the archive must enter ours",
            )
        return self._why_no_connection()

    def _why_no_connection(self) -> ArchiveError:
        """Connects once more without pynetdicom, which does not tell why it could not."""
        try:
            with socket.create_connection((self.peer.host, self.peer.port), timeout=self.limits.connect_s) as plain:
                if self._tls is not None:
                    self._tls.wrap_socket(plain, server_hostname=self.peer.host).close()
        except ssl.SSLCertVerificationError as error:
            return NotTrustedError(
                f"the certificate of {self.peer.name} is not trusted: {error.verify_message}",
                expected="a certificate for this host from an authority that this machine or --ca-file trusts",
                remedy="give the authority's certificate with --ca-file",
            )
        except ssl.SSLError as error:
            return NotTrustedError(
                f"no TLS connection with {self.peer.name}: {error.reason or 'it ended'}", expected="TLS 1.2 or newer",
                remedy="check that the port is that for TLS",
            )
        except OSError as error:
            return unreachable(self.peer.name, error)
        return ArchiveError(
            f"{self.peer.name} takes the connection and does not speak DICOM", expected="a DICOM application entity",
            remedy="check the port, and whether it wants TLS (--tls)",
        )


@contextmanager
def closed_at_the_end() -> Iterator[list[socket.socket]]:
    """Sockets put into the list are closed: pynetdicom forgets those of connections that end badly."""
    opened: list[socket.socket] = []
    try:
        yield opened
    finally:
        for each in opened:
            each.close()


def bound_pdus(association: Association, watch: Watch, opened: list[socket.socket], *, guarded: bool) -> None:
    """Tell the watch what comes and goes over an association's socket, and refuse oversized PDUs.

    The socket is added to `opened`; a `guarded` one is what the watch shuts down.
    """
    wire = association.dul.socket
    if wire is None or wire.socket is None:
        return
    if guarded:
        watch.guard(wire.socket)
    opened.append(wire.socket)
    read, write = wire.recv, wire.send

    def recv(count: int) -> bytearray:
        if count > PDU_BYTES:
            watch.end(ArchiveError(
                f"{watch.who} announces a PDU of {count:,} bytes", expected=f"at most {PDU_BYTES:,} bytes, as negotiated",
                remedy="tell whoever runs the archive",
            ))
            raise OSError("oversized PDU")
        data = read(count)
        watch.got(len(data))
        return data

    def send(data: bytes) -> None:
        write(data)
        watch.got(len(data))  # a large object on its way out is no silence

    wire.recv, wire.send = recv, send  # type: ignore[method-assign, assignment]

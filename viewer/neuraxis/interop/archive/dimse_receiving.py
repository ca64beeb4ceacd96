"""What comes by C-STORE, in answer to C-GET or C-MOVE: which contexts are offered, where it goes, who may send it."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from neuraxis.errors import CancelledError, NeuraxisError, WriteError
from neuraxis.interop.archive.dimse_association import MAX_CONTEXTS, DimseLine, bound_pdus, closed_at_the_end
from neuraxis.interop.archive.failures import ArchiveError
from neuraxis.interop.archive.incoming import StudyFolder
from neuraxis.interop.archive.watch import Watch

if TYPE_CHECKING:
    from pynetdicom.events import Event
    from pynetdicom.presentation import PresentationContext


class InstanceTaker:
    """Puts what comes by C-STORE into the folder; the first failure ends the transfer."""

    def __init__(self, folder: StudyFolder) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self.watch: Watch | None = None
        self.failure: NeuraxisError | None = None

    def take(self, event: Event) -> int:
        """Status of one C-STORE request."""
        with self._lock:
            if self.failure is not None:
                return 0xA700
            try:
                with self._folder.receive() as incoming:
                    incoming.write(event.encoded_dataset())
            except NeuraxisError as error:
                self.failure = error
                if self.watch is not None:
                    self.watch.end(error)
                return 0xA700 if isinstance(error, WriteError | CancelledError) else 0xC000
        return 0x0000


@contextmanager
def receiver(line: DimseLine, classes: Sequence[str], taker: InstanceTaker, watch: Watch) -> Iterator[None]:
    """Listens for what C-MOVE sends, from the archive's host only, until the block ends."""
    from pynetdicom import evt

    peer = line.peer
    allowed = {info[4][0] for info in socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)}

    def opened(event: Any) -> None:
        caller = str(event.address[0])
        if caller not in allowed and not (ipaddress.ip_address(caller).is_loopback and peer.host == "localhost"):
            event.assoc.abort()
            return
        bound_pdus(event.assoc, watch, sockets, guarded=False)  # the one that asks is; its end ends this one too

    entity = line.entity()
    entity.require_called_aet = True
    for context in storage_contexts(classes):
        entity.add_supported_context(str(context.abstract_syntax), context.transfer_syntax)
    with closed_at_the_end() as sockets:
        try:
            server: Any = entity.start_server(
                (peer.receive_host, peer.receive_port or 0), block=False,
                evt_handlers=[(evt.EVT_C_STORE, taker.take), (evt.EVT_CONN_OPEN, opened)],
            )
        except OSError as error:
            raise ArchiveError(
                f"cannot listen on {peer.receive_host}:{peer.receive_port}: {error.strerror or error}",
                expected="a free port that the archive can reach",
                remedy="choose another with --receive-port, or use C-GET",
            ) from error
        try:
            yield
        finally:
            server.shutdown()


def storage_contexts(classes: Sequence[str]) -> list[PresentationContext]:
    """For each class one context per transfer syntax, so that the archive can send what it holds as it is.

    Where that would be more than an association takes, one context per class with all of them.
    """
    from pydicom import uid
    from pynetdicom import build_context

    syntaxes = (
        uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.JPEG2000Lossless, uid.JPEG2000, uid.JPEGLosslessSV1,
        uid.JPEGLossless, uid.JPEGLSLossless, uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.RLELossless,
        uid.DeflatedExplicitVRLittleEndian,
    )
    if len(classes) * len(syntaxes) <= MAX_CONTEXTS:
        return [build_context(c, [s]) for c in classes for s in syntaxes]
    return [build_context(c, list(syntaxes)) for c in classes[:MAX_CONTEXTS]]


def common_classes() -> list[str]:
    """What is proposed where the archive does not list classes."""
    from pynetdicom import StoragePresentationContexts

    return [str(c.abstract_syntax) for c in StoragePresentationContexts[:MAX_CONTEXTS]]

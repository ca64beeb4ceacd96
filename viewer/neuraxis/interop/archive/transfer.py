"""Pull a study whole, push objects and see that they arrived: the same for DICOMweb and DIMSE."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from neuraxis.domain.study import SkippedFile
from neuraxis.errors import CancelledError
from neuraxis.interop.archive.failures import ArchiveError, NotThereError
from neuraxis.interop.archive.incoming import StudyFolder
from neuraxis.interop.archive.outgoing import NewUid, Outbox, Outgoing, differences, renamed
from neuraxis.interop.archive.query import Archive, InstanceKey, Progress, by_series
from neuraxis.interop.archive.watch import never

BATCH_BYTES = 64 << 20
"""Sent in one request at most, a single larger instance aside: what is lost when a request breaks off."""


@dataclass(frozen=True)
class Pulled:
    """What a pull brought."""

    folder: Path
    instances: int
    new: int
    new_bytes: int
    notes: tuple[str, ...]

    @property
    def resumed(self) -> int:
        """Instances that were there from a transfer before."""
        return self.instances - self.new


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Parameters
    ----------
    sent : SOP Instance UIDs as they are in the archive; each was read back and is equal
    already_there : the archive held the same already; nothing was sent
    renamed : new SOP Instance UID by old, where the archive held something else under the old one
    """

    sent: tuple[str, ...]
    already_there: tuple[str, ...]
    renamed: dict[str, str]
    skipped: tuple[SkippedFile, ...]
    sent_bytes: int
    notes: tuple[str, ...]


class _Counting(StudyFolder):
    """Tells progress with each instance that is whole."""

    def __init__(
        self, folder: Path, wanted: Sequence[InstanceKey], limit_bytes: int, progress: Progress, span: tuple[float, float]
    ) -> None:
        super().__init__(folder, wanted, limit_bytes)
        self._progress, self._span, self._total = progress, span, max(1, len(wanted))

    def _write_down(self, uid: str, size: int, sha256: str) -> None:
        super()._write_down(uid, size, sha256)
        start, end = self._span
        done = len(self.kept)
        self._progress(start + (end - start) * done / self._total, f"{done} of {self._total} instances")


def pull(
    archive: Archive, study_uid: str, folder: Path, *, series_uids: Sequence[str] = (), progress: Progress,
    should_stop: Callable[[], bool] = never,
) -> Pulled:
    """Receive a study, or some of its series, into a folder; goes on where an earlier pull into it was stopped.

    Raises
    ------
    ArchiveError, WriteError, CancelledError
        What was complete stays in the folder, and a journal, so that the same call goes on. Nothing half is left.
    """
    progress(0.0, f"asking {archive.name}")
    wanted = _instances(archive, study_uid, series_uids, should_stop)
    with _Counting(folder, wanted, archive.limits.instance_bytes, progress, (0.02, 1.0)) as receiving:
        for keys in by_series(wanted).values():
            missing = [k for k in keys if k.sop_uid not in receiving.kept]
            if should_stop():
                raise CancelledError("stopped")
            archive.fetch(missing, receiving, whole_series=len(missing) == len(keys))
        left = receiving.missing()
        if left:
            raise ArchiveError(
                f"{archive.name} lists {len(wanted)} instances and sent {len(receiving.kept)}",
                expected="all of them", remedy="pull again: what has come is kept, the rest is asked for",
            )
    return Pulled(folder, len(wanted), len(wanted) - receiving.resumed, receiving.new_bytes, tuple(archive.notes))


def _instances(
    archive: Archive, study_uid: str, series_uids: Sequence[str], should_stop: Callable[[], bool]
) -> list[InstanceKey]:
    listed = [s.series_uid for s in archive.list_series(study_uid)]
    unknown = [uid for uid in series_uids if uid not in listed]
    if unknown or not listed:
        raise NotThereError(
            f"{archive.name} does not list {'series ' + unknown[0] if unknown else 'that study'}",
            expected=f"one of the study's {len(listed)} series" if listed else "a study that it holds",
            remedy="`neuraxis find` lists studies and series",
        )
    wanted: dict[str, InstanceKey] = {}
    for uid in series_uids or listed:
        if should_stop():
            raise CancelledError("stopped")
        wanted.update((k.sop_uid, k) for k in archive.list_instances(study_uid, uid))
    return list(wanted.values())


def push(
    archive: Archive, outbox: Outbox, *, new_uid: NewUid, progress: Progress, should_stop: Callable[[], bool] = never,
) -> Pushed:
    """Store instances and read every one back.

    Archives answer "stored" and keep what they hold already under a SOP Instance UID. So the archive is asked first: an
    equal instance is not sent again; one of ours whose UID is taken by something else goes out under a new UID, together
    with those that refer to it; a foreign one is refused before anything is sent.

    Raises
    ------
    ArchiveError
        When an instance is refused, or what is read back is not what was sent.
    """
    with tempfile.TemporaryDirectory(prefix="neuraxis-push-") as scratch:
        progress(0.0, f"asking {archive.name}")
        equal, taken = _held(archive, outbox.objects, Path(scratch) / "held", should_stop)
        _refuse_foreign(outbox.objects, taken, archive.name)
        objects, names = renamed(outbox.objects, taken, new_uid, Path(scratch))
        to_send = [o for o in objects if o.key.sop_uid not in equal]
        _send(archive, to_send, progress, should_stop)
        _read_back(archive, to_send, Path(scratch) / "back", progress, should_stop)
        return Pushed(
            tuple(o.key.sop_uid for o in to_send), tuple(o.key.sop_uid for o in objects if o.key.sop_uid in equal), names,
            tuple(outbox.skipped), sum(o.size for o in to_send), tuple(archive.notes),
        )


def _held(
    archive: Archive, objects: Sequence[Outgoing], folder: Path, should_stop: Callable[[], bool]
) -> tuple[set[str], set[str]]:
    """UIDs that the archive holds already: (with the same content, with another)."""
    equal: set[str] = set()
    other: set[str] = set()
    local = {o.key.sop_uid: o for o in objects}
    for study, series in by_series(o.key for o in objects):
        if should_stop():
            raise CancelledError("stopped")
        there = [local[k.sop_uid] for k in archive.list_instances(study, series) if k.sop_uid in local]
        for item, held in _fetched(archive, there, folder):
            (other if differences(item.path, held) else equal).add(item.key.sop_uid)
    return equal, other


def _fetched(archive: Archive, objects: Sequence[Outgoing], folder: Path) -> Iterator[tuple[Outgoing, Path]]:
    """Instances as the archive holds them, in files that last until the next one is asked for."""
    items = {o.key.sop_uid: o for o in objects}
    for keys in by_series(o.key for o in objects).values():
        for batch in _batches([items[k.sop_uid] for k in keys]):
            with StudyFolder(folder, [o.key for o in batch], archive.limits.instance_bytes, is_scratch=True) as receiving:
                archive.fetch([o.key for o in batch], receiving, whole_series=False)
                if receiving.missing():
                    raise NotThereError(f"{archive.name} does not send an instance that it holds", expected="the instance")
            for item in batch:
                path = receiving.path_of(item.key)
                yield item, path
                path.unlink()


def _refuse_foreign(objects: Sequence[Outgoing], taken: set[str], who: str) -> None:
    foreign = [o for o in objects if o.key.sop_uid in taken and not o.is_ours()]
    if foreign:
        raise ArchiveError(
            f"{who} holds something else under the SOP Instance UID of {foreign[0].path.name}"
            + (f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""),
            expected="an instance that it does not hold, or the same one",
            remedy="send without these files; nothing was sent. Only objects that Neuraxis wrote get new UIDs",
        )


def _batches(objects: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    for item in objects:
        if batch and sum(o.size for o in batch) + item.size > BATCH_BYTES:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _send(archive: Archive, objects: Sequence[Outgoing], progress: Progress, should_stop: Callable[[], bool]) -> None:
    total, done = max(1, sum(o.size for o in objects)), 0

    def sent(count: int) -> None:
        nonlocal done
        done += count
        progress(0.1 + 0.5 * done / total, f"sent {done >> 20} of {total >> 20} MB")

    for batch in _batches(objects):
        if should_stop():
            raise CancelledError("stopped")
        refused = archive.store(batch, sent)
        if refused:
            reasons = ", ".join(sorted(set(refused.values())))
            raise ArchiveError(
                f"{archive.name} refused {len(refused)} of {len(batch)} instances: {reasons}", expected="all stored",
                remedy="the others of this request may be stored; push again, what is there is not sent twice",
            )


def _read_back(
    archive: Archive, objects: Sequence[Outgoing], folder: Path, progress: Progress, should_stop: Callable[[], bool]
) -> None:
    try:
        for done, (item, held) in enumerate(_fetched(archive, objects, folder), start=1):
            if should_stop():
                raise CancelledError("stopped")
            differing = differences(item.path, held)
            if differing:
                raise ArchiveError(
                    f"{archive.name} answered that {item.key.sop_uid} is stored, but holds something else: "
                    f"{', '.join(differing[:5])} differ", expected="what was sent",
                    remedy="do not rely on this object in the archive; tell whoever runs it",
                )
            progress(0.6 + 0.4 * done / len(objects), f"read back {done} of {len(objects)}")
    except NotThereError as error:
        raise ArchiveError(
            f"{archive.name} answered that the objects are stored, but does not give them back", expected="what was sent",
            remedy="do not rely on them being there; push again later, or tell whoever runs the archive",
        ) from error

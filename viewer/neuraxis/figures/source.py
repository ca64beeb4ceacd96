"""The voxels behind a figure: found by series, checked against the hash that the recipe remembers."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Iterable

import numpy as np

from neuraxis.domain.study import Series, Study
from neuraxis.domain.volume import Volume
from neuraxis.errors import UsageError
from neuraxis.figures.recipe import SeriesReference

_HASHES: weakref.WeakKeyDictionary[Volume, str] = weakref.WeakKeyDictionary()


def pixel_sha256(volume: Volume) -> str:
    """SHA-256 of the voxels: shape, type and little-endian bytes in (z, y, x) order. Geometry is not in it."""
    known = _HASHES.get(volume)
    if known is not None:
        return known
    array = np.ascontiguousarray(volume.array)
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    digest = hashlib.sha256(f"{array.shape} {array.dtype.str}\n".encode("ascii"))
    digest.update(array.reshape(-1).view(np.uint8).data)
    _HASHES[volume] = digest.hexdigest()
    return _HASHES[volume]


class HashMismatchError(UsageError):
    """The study holds other voxels than those the recipe was made from."""


class VolumeShelf:
    """Volumes of a study, each read once.

    Parameters
    ----------
    study : whose series the recipe names
    volumes : already read volumes by series id; they are used instead of reading again
    """

    def __init__(self, study: Study, volumes: Iterable[Volume] = ()) -> None:
        self._study = study
        self._volumes = {v.series_id: v for v in volumes if v.series_id}

    def series(self, reference: SeriesReference) -> Series:
        """The series a recipe means: by UID and id together, else by UID, else by id."""
        fit = [s for s in self._study.series if s.series_uid == reference.series_uid]
        exact = [s for s in fit if s.id == reference.series_id]
        if len(exact) == 1 or len(fit) == 1:
            return (exact or fit)[0]
        if fit:
            raise UsageError(
                f"the recipe's series UID names {len(fit)} volumes and none has the id {reference.series_id!r}",
                expected="one of: " + ", ".join(s.id for s in fit), remedy="correct series_id in the recipe",
            )
        raise UsageError(
            f"series {reference.series_id!r} of the recipe is not in this study",
            expected="a study that holds it; here are: " + (", ".join(s.id for s in self._study.series) or "no series"),
            remedy="open the study from which the recipe was made, or change series_uid and series_id",
        )

    def volume(self, series: Series) -> Volume:
        """Voxels of a series, from memory where they were read before."""
        known = self._volumes.get(series.id)
        if known is None:
            known = series.volume()
            self._volumes[series.id] = known
        return known

    def checked(self, reference: SeriesReference, *, letter: str, ignore_hash: bool = False) -> tuple[Series, Volume]:
        """Series and voxels of a panel.

        Raises
        ------
        HashMismatchError
            When the voxels are not those that the recipe was made from.
        """
        series = self.series(reference)
        volume = self.volume(series)
        if reference.pixel_sha256 is not None and not ignore_hash:
            actual = pixel_sha256(volume)
            if actual != reference.pixel_sha256:
                raise HashMismatchError(
                    f"panel {letter}: series {series.id} has other voxels than when the recipe was made "
                    f"(pixel_sha256 {actual[:12]}...)",
                    expected=f"pixel_sha256 {reference.pixel_sha256[:12]}...",
                    remedy="open the original study; or remove pixel_sha256 from the recipe to draw these voxels "
                    "knowingly",
                )
        return series, volume

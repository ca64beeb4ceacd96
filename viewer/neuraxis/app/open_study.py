"""The open study and its voxels: read in the background, kept once, with the window of each series."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from neuraxis.app.jobs import Deliver, Job, JobRunner
from neuraxis.app.study_labels import StudyLabel, read_study_labels
from neuraxis.domain.study import Series, Study
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.domain.window import Window, automatic_window, window_preset
from neuraxis.errors import NeuraxisError

PICTURES_KEPT = 64
"""Pictures of series without a grid that stay in memory."""


@dataclass(frozen=True)
class Message:
    """Something the user has to know: an error with what to do, or a notice."""

    text: str
    expected: str = ""
    remedy: str = ""
    is_error: bool = True

    @classmethod
    def from_error(cls, error: NeuraxisError) -> Message:
        """The three fields of an error."""
        return cls(error.found, error.expected, error.remedy)


class CachedSource:
    """Reads the voxels of a series once, whoever asks first, and keeps them."""

    def __init__(self, series: Series) -> None:
        self._source = series.source
        self._lock = threading.Lock()
        self.volume: Volume | None = None

    def read_volume(self) -> Volume:
        """The voxels, from memory where they are there."""
        with self._lock:
            if self.volume is None:
                self.volume = self._source.read_volume()
            return self.volume

    def read_slice(self, index: int) -> NDArray[Any]:
        """One slice, from memory where it is there."""
        volume = self.volume
        return volume.array[index] if volume is not None else self._source.read_slice(index)

    def read_picture(self, index: int) -> NDArray[np.uint8]:
        """One picture, ready to show."""
        return self._source.read_picture(index)


class HeldVolume:
    """The source of a volume that was computed and is in memory."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume

    def read_volume(self) -> Volume:
        """The volume."""
        return self._volume

    def read_slice(self, index: int) -> NDArray[Any]:
        """One slice."""
        return np.asarray(self._volume.array[index])

    def read_picture(self, index: int) -> NDArray[np.uint8]:
        """One slice in its automatic window."""
        return automatic_window(self._volume.array).to_grey(self.read_slice(index))


@dataclass(frozen=True, eq=False)
class Preview:
    """One acquired slice, shown while the rest of the series is read."""

    index: int
    values: NDArray[Any]
    window: Window


def default_window(series: Series, volume: Volume) -> Window:
    """The window a series opens with: brain for CT, else the file's own where it shows something, else automatic."""
    if volume.kind is ValueKind.HU:
        return window_preset("brain")
    return file_window(series, volume.array) or automatic_window(volume.array, volume.padding)


def file_window(series: Series, values: NDArray[Any]) -> Window | None:
    """The first window of the file, unless it would show these values as a flat grey.

    It may be meant for other numbers than the real-world values (stored phase against radians): one that misses the
    values, or is 20 times as wide as they are, is not taken.
    """
    if not series.windows:
        return None
    low, high = series.windows[0].limits
    lowest, highest = float(np.nanmin(values)), float(np.nanmax(values))
    fits = low < highest and high > lowest and high - low < 20 * max(highest - lowest, 1e-9)
    return series.windows[0] if fits else None


class OpenStudy:
    """The series of one study with their voxels and windows.

    Signals
    -------
    study_changed : another study, or none, is open
    volume_loaded(series_id), volume_failed(series_id, message), preview_loaded(series_id)
    window_changed(series_id)
    series_added(series_id) : a computed series stands beside those of the file
    labels_changed : patients and days of the studies are known
    """

    study_changed = Signal()
    volume_loaded = Signal(str)
    volume_failed = Signal(str, object)
    preview_loaded = Signal(str)
    window_changed = Signal(str)
    series_added = Signal(str)
    labels_changed = Signal()

    def __init__(self, deliver: Deliver) -> None:
        self.jobs = JobRunner(deliver)
        self.study: Study | None = None
        self.path = ""
        self.labels: Mapping[str, StudyLabel] = {}
        """Patient and day of each study UID, for the screen only."""
        self._sources: dict[str, CachedSource] = {}
        self._windows: dict[str, Window] = {}
        self._failures: dict[str, Message] = {}
        self._previews: dict[str, Preview] = {}
        self._pictures: dict[tuple[str, int], NDArray[np.uint8]] = {}

    def _take_study(self, study: Study, path: str) -> None:
        """Series with sources that keep what they read."""
        self._sources = {s.id: CachedSource(s) for s in study.series}
        series = tuple(replace(s, source=self._sources[s.id]) for s in study.series)
        self.study, self.path = replace(study, series=series), path
        self.jobs.start(
            "reading the days of the studies", "labels", lambda _job: read_study_labels(study), self._take_labels,
            lambda _error: None, urgent=True,
        )

    def _take_labels(self, labels: Mapping[str, StudyLabel]) -> None:
        self.labels = labels
        self.labels_changed.emit()

    def add_series(self, series: Series) -> None:
        """One more series beside those of the file (computed ones)."""
        if self.study is not None:
            source = CachedSource(series)
            self._sources[series.id] = source
            self.study = replace(self.study, series=(*self.study.series, replace(series, source=source)))
            self.series_added.emit(series.id)

    def _forget_study(self) -> None:
        for job in self.jobs.jobs:
            if job.key != "open":
                job.cancel()
        self.study, self.path, self.labels = None, "", {}
        self._sources, self._windows, self._failures, self._previews = {}, {}, {}, {}
        self._pictures = {}

    @property
    def series(self) -> tuple[Series, ...]:
        """Series of the open study."""
        return () if self.study is None else self.study.series

    def find_series(self, series_id: str) -> Series | None:
        """The series with that id, or None."""
        return next((s for s in self.series if s.id == series_id), None)

    def volume(self, series_id: str) -> Volume | None:
        """The voxels if they are in memory."""
        source = self._sources.get(series_id)
        return source.volume if source else None

    def failure(self, series_id: str) -> Message | None:
        """Why a series could not be read."""
        return self._failures.get(series_id)

    def request_volume(self, series_id: str, *, urgent: bool = False) -> None:
        """Read a series in the background unless it is there, under way, no volume or known to fail."""
        series = self.find_series(series_id)
        if series is None or not series.is_volume or series_id in self._failures or self.volume(series_id):
            return

        def work(_job: Job) -> tuple[Volume, Window]:
            voxels = series.volume()
            return voxels, default_window(series, voxels)

        def done(result: tuple[Volume, Window]) -> None:
            self._previews.pop(series_id, None)
            self._windows.setdefault(series_id, result[1])
            self.volume_loaded.emit(series_id)

        def failed(error: NeuraxisError) -> None:
            self._failures[series_id] = Message.from_error(error)
            self.volume_failed.emit(series_id, self._failures[series_id])

        if urgent and series_id not in self._previews:
            self._request_preview(series)
        self.jobs.start(f"loading {series.title}", f"volume {series_id}", work, done, failed, urgent=urgent)

    def preview(self, series_id: str) -> Preview | None:
        """The slice that stands in for a series while it is read."""
        return self._previews.get(series_id)

    def preview_index(self, series: Series) -> int:
        """Which slice is read ahead: the middle one."""
        return series.frames // 2

    def _request_preview(self, series: Series) -> None:
        index = self.preview_index(series)

        def work(_job: Job) -> Preview:
            values = series.source.read_slice(index)
            if series.modality == "CT":
                return Preview(index, values, window_preset("brain"))
            return Preview(index, values, file_window(series, values) or automatic_window(values))

        def done(preview: Preview) -> None:
            if self.volume(series.id) is None:
                self._previews[series.id] = preview
                self.preview_loaded.emit(series.id)

        # what fails here fails again, and is told, when the whole series is read
        self.jobs.start(
            f"first picture of {series.title}", f"preview {series.id}", work, done, lambda _error: None, urgent=True
        )

    def picture(self, series_id: str, index: int) -> NDArray[np.uint8] | None:
        """A picture that was read, ready to show."""
        return self._pictures.get((series_id, index))

    def request_picture(self, series_id: str, index: int) -> None:
        """Read one picture of a series that is no volume, in the background."""
        series = self.find_series(series_id)
        if series is None or (series_id, index) in self._pictures or series_id in self._failures:
            return

        def done(picture: NDArray[np.uint8]) -> None:
            while len(self._pictures) >= PICTURES_KEPT:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[series_id, index] = picture
            self.preview_loaded.emit(series_id)

        def failed(error: NeuraxisError) -> None:
            self._failures[series_id] = Message.from_error(error)
            self.volume_failed.emit(series_id, self._failures[series_id])

        self.jobs.start(
            f"loading {series.title}", f"picture {series_id} {index}",
            lambda _job: series.source.read_picture(index), done, failed, urgent=True,
        )

    def adopt_volume(self, series_id: str, volume: Volume) -> None:
        """Take voxels that somebody else has read."""
        source, series = self._sources.get(series_id), self.find_series(series_id)
        if source is not None and series is not None and source.volume is None:
            source.volume = volume
            self._windows.setdefault(series_id, default_window(series, volume))
            self.volume_loaded.emit(series_id)

    def window(self, series_id: str) -> Window | None:
        """The window of a series; None until its voxels are there."""
        if series_id not in self._windows:
            # the voxels may be there although the job that read them was stopped, or is just about to report
            volume, series = self.volume(series_id), self.find_series(series_id)
            if volume is not None and series is not None:
                self._windows[series_id] = default_window(series, volume)
        return self._windows.get(series_id)

    def set_window(self, series_id: str, window: Window) -> None:
        """Window of a series, for every panel that has none of its own."""
        if self._windows.get(series_id) != window:
            self._windows[series_id] = window
            self.window_changed.emit(series_id)

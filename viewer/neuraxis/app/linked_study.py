"""The open study with its linked point and the registrations that carry it from frame to frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from psygnal import Signal

from neuraxis.app.jobs import Deliver, Job
from neuraxis.app.linking import LinkState, PointLinks, frame_key, representative
from neuraxis.app.stepped_study import SteppedStudy
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.study import Confidence, RoleAssignment, Series, Study
from neuraxis.domain.transform import Registration, RegistrationSet
from neuraxis.errors import UsageError


class LinkedStudy(SteppedStudy):
    """The open study, its series under the roles that the reader gave them, and one point linked through all of them.

    Signals
    -------
    point_changed : the linked point moved (in one or more frames of reference)
    proposal_changed : a registration waits to be accepted, or no longer does
    """

    point_changed = Signal()
    proposal_changed = Signal()

    def __init__(self, deliver: Deliver) -> None:
        super().__init__(deliver)
        self.point_source = ""
        """Id of the series on which the linked point was placed last."""
        self.proposal: Registration | None = None
        self._links = PointLinks()

    def _unlink(self) -> None:
        self.point_source, self.proposal = "", None
        self._links = PointLinks()

    def _after_case_change(self) -> None:
        self._links.relink(self.registrations_in_view)
        super()._after_case_change()
        self.point_changed.emit()

    def preview_index(self, series: Series) -> int:
        """The slice at the linked point, which is the one that panels show first."""
        point, geometry = self.point_in(series), series.geometry
        if point is None or geometry is None:
            return super().preview_index(series)
        return int(np.clip(np.rint(geometry.index_from_lps(point)[0]), 0, geometry.shape_zyx[0] - 1))

    @property
    def series(self) -> tuple[Series, ...]:
        """Series of the open study, with corrected roles."""
        if self.study is None:
            return ()
        roles = self.case.roles
        return tuple(
            replace(s, role=RoleAssignment(roles[s.id], Confidence.CERTAIN, "set by the reader"))
            if s.id in roles else s
            for s in self.study.series
        )

    @property
    def current_study(self) -> Study:
        """The open study with corrected roles; UsageError where none is open."""
        if self.study is None:
            raise UsageError("no study is open", remedy="open a folder with DICOM images first")
        return replace(self.study, series=self.series)

    def point_in(self, series: Series) -> Vector3 | None:
        """The linked point in the frame of reference of a series, LPS mm."""
        return self._links.point_in(frame_key(series))

    def set_point(self, series: Series, point_lps_mm: Vector3) -> None:
        """Move the linked point; it is carried to every frame of reference that is registered to this one."""
        self.point_source = series.id
        self._links.set_point(frame_key(series), point_lps_mm, self.registrations_in_view)
        self.point_changed.emit()

    def link(self, a: Series, b: Series) -> LinkState:
        """How two series are linked: same frame, registered with a residual, or not."""
        return LinkState.between(frame_key(a), frame_key(b), self.registrations_in_view)

    @property
    def registrations_in_view(self) -> RegistrationSet:
        """The accepted registrations and the proposed one, which has to be looked at before it is accepted."""
        accepted = self.case.registrations
        return accepted if self.proposal is None else accepted.with_registration(self.proposal)

    def frames(self) -> dict[str, tuple[Series, ...]]:
        """Volumes of the study by frame of reference, that of the CT first."""
        ordered = sorted((s for s in self.series if s.is_volume), key=lambda s: s.modality != "CT")
        keys = dict.fromkeys(frame_key(s) for s in ordered)
        return {k: tuple(s for s in ordered if frame_key(s) == k) for k in keys}

    def unlinked_frames(self) -> tuple[str, ...]:
        """Frames of reference that no accepted registration links to the first one."""
        keys = list(self.frames())
        return tuple(k for k in keys[1:] if self.case.registrations.between(keys[0], k) is None)

    def next_pair_to_register(self) -> tuple[Series, Series] | None:
        """Series that stand for the first frame and for the next one to be registered to it."""
        frames = self.frames()
        if len(frames) < 2 or self.study is None:
            return None
        first, *others = frames
        target = next(iter(self.unlinked_frames()), others[-1])
        fixed = representative(self.current_study, first) or frames[first][0]
        moving = representative(self.current_study, target) or frames[target][0]
        return (fixed, moving) if first == fixed.frame_of_reference_uid and moving.frame_of_reference_uid else None

    def propose_registration(self, fixed: Series, moving: Series) -> Job:
        """Find the rigid map from the frame of one series to that of another; it waits to be accepted."""
        focus = self.point_in(fixed)

        def work(job: Job) -> Registration:
            from neuraxis.align import register

            job.report(0.05, "loading both series")
            a, b = fixed.volume(), moving.volume()
            job.report(0.3, "matching")
            return register(a, b, focus_lps_mm=focus, should_stop=lambda: job.is_cancelled)

        def done(registration: Registration) -> None:
            self.set_proposal(registration)

        return self.jobs.start(
            f"registering {fixed.title} to {moving.title}", "register", work, done, self.post_error
        )

    def accept_registration(self) -> None:
        """Use the proposed registration from now on."""
        if self.proposal is not None:
            registrations = self.case.registrations.with_registration(self.proposal)
            self.change("accept registration", replace(self.case, registrations=registrations))
            self.set_proposal(None)

    def reject_registration(self) -> None:
        """Drop the proposed registration."""
        self.set_proposal(None)

    def set_proposal(self, registration: Registration | None) -> None:
        """Show a registration before it is accepted: panels are linked by it meanwhile."""
        self.proposal = registration
        self._links.relink(self.registrations_in_view)
        self.proposal_changed.emit()
        self.point_changed.emit()

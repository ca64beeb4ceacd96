"""One open study and everything that panels, sheets and napari layers show of it: the model behind all views."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from psygnal import Signal

from neuraxis.app.history import CaseState, Drawing, History
from neuraxis.app.jobs import Deliver, Job
from neuraxis.app.linking import LinkState, PointLinks, frame_key, representative
from neuraxis.app.open_study import Message, OpenStudy
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.lesion import Lesion, LesionMask
from neuraxis.domain.study import Confidence, Role, RoleAssignment, Series, Study
from neuraxis.domain.tag import Tag
from neuraxis.domain.transform import Registration, RegistrationSet
from neuraxis.errors import NeuraxisError, UsageError


class StudySession(OpenStudy):
    """An open study with its volumes, linked points, windows, and the reader's work with undo.

    All methods are called on one thread, the owner's; long work runs in background threads and comes back through
    `deliver`. Signals are emitted on the owner's thread only. Views ask for changes through the methods and never keep
    a state of their own.

    Signals
    -------
    point_changed : the linked point moved (in one or more frames of reference)
    case_changed(CaseState) : lesions, tags, drawings, registrations, roles
    active_lesion_changed(tracking_uid or "")
    proposal_changed : a registration waits to be accepted, or no longer does
    message_posted(Message)
    """

    point_changed = Signal()
    case_changed = Signal(object)
    active_lesion_changed = Signal(str)
    proposal_changed = Signal()
    message_posted = Signal(object)

    def __init__(self, deliver: Deliver) -> None:
        super().__init__(deliver)
        self.reader = ""
        self.active_lesion = ""
        self.active_drawing = ""
        self.point_source = ""
        """Id of the series on which the linked point was placed last."""
        self.proposal: Registration | None = None
        self._history = History()
        self._links = PointLinks()
        self._drawings_made = 0

    # The study and its voxels

    def open(self, path: str | Path) -> Job:
        """Read what is under a path in the background and make it the open study."""
        from neuraxis.app.workup import open_input

        where = str(path)
        return self.jobs.start(
            f"reading {Path(where).name}", "open", lambda job: open_input(where, progress=job.report),
            lambda study: self.set_study(study, where), self.post_error, urgent=True,
        )

    def set_study(self, study: Study, path: str = "") -> None:
        """Make a study the open one; everything of the one before is let go."""
        self._forget()
        self._take_study(study, path)
        self._links.place_in_middle(self.series)
        self.study_changed.emit()
        self.case_changed.emit(self.case)

    def close_study(self) -> None:
        """Let go of the open study."""
        self._forget()
        self.study_changed.emit()
        self.case_changed.emit(self.case)

    def close(self) -> None:
        """Stop all work; the session cannot be used afterwards."""
        self.jobs.close()
        self._forget()

    def _forget(self) -> None:
        self._forget_study()
        self.active_lesion = self.point_source = self.active_drawing = ""
        self.proposal = None
        self._history.clear()
        self._links = PointLinks()

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

    # The linked point

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

    # The reader's work

    @property
    def case(self) -> CaseState:
        """Everything the reader made."""
        return self._history.state

    @property
    def undo_label(self) -> str | None:
        """What undo would take back."""
        return self._history.undo_label

    @property
    def redo_label(self) -> str | None:
        """What redo would bring back."""
        return self._history.redo_label

    def undo(self) -> None:
        """Take back the last step."""
        if self._history.undo() is not None:
            self._after_case_change()

    def redo(self) -> None:
        """Bring back what was taken back last."""
        if self._history.redo() is not None:
            self._after_case_change()

    def change(self, label: str, state: CaseState) -> None:
        """One step that can be undone."""
        self._history.push(label, state)
        self._after_case_change()

    def _after_case_change(self) -> None:
        if self.active_lesion and self.case.lesion(self.active_lesion) is None:
            self.set_active_lesion("")
        self._links.relink(self.registrations_in_view)
        self.case_changed.emit(self.case)
        self.point_changed.emit()

    def set_active_lesion(self, tracking_uid: str) -> None:
        """Choose the lesion whose numbers and tags the sheets show."""
        if self.active_lesion != tracking_uid:
            self.active_lesion = tracking_uid
            self.active_lesion_changed.emit(tracking_uid)

    def segment_at(self, series_id: str, point_lps_mm: Vector3) -> Job | None:
        """Segment and measure a lesion from one point, in the background; then it is the active one."""
        from neuraxis.app.workup import lesion_from_mask, segment_on

        series = self.find_series(series_id)
        if series is None:
            return None

        def work(job: Job) -> Lesion:
            job.report(0.1, "segmenting")
            mask = segment_on(series, point_lps_mm)
            job.report(0.5, "measuring")
            return lesion_from_mask(series, mask)

        def done(lesion: Lesion) -> None:
            number = len(self.case.lesions) + 1
            self.change("segment lesion", self.case.with_lesion(replace(lesion, label=f"lesion {number}")))
            self.set_active_lesion(lesion.tracking_uid)

        return self.jobs.start(
            f"segmenting on {series.title}", "segment", work, done, self.post_error, urgent=True
        )

    def edit_mask(self, tracking_uid: str, mask: LesionMask) -> None:
        """Put another mask in place of a lesion's and measure it anew; one step that can be undone.

        An empty mask deletes the lesion.
        """
        from neuraxis.lesions import measure

        lesion = self.case.lesion(tracking_uid)
        series = self.find_series(mask.series_id)
        if lesion is None or series is None:
            return
        if mask.voxel_count == 0:
            self.delete_lesion(tracking_uid)
            return

        def act() -> None:
            measurement = measure(series.volume(), mask)
            self.change("edit mask", self.case.with_lesion(replace(lesion, mask=mask, measurement=measurement)))

        self.guard(act)

    def jump_to_lesion(self, tracking_uid: str) -> None:
        """The linked point goes to the middle of a lesion."""
        lesion = self.case.lesion(tracking_uid)
        series = self.find_series(lesion.mask.series_id) if lesion else None
        if lesion is not None and series is not None:
            self.set_point(series, lesion.measurement.centroid_lps_mm)

    def delete_lesion(self, tracking_uid: str) -> None:
        """Remove a lesion and its tags."""
        if self.case.lesion(tracking_uid) is not None:
            self.change("delete lesion", self.case.without_lesion(tracking_uid))

    def collect_tags(self, tracking_uid: str) -> Job | None:
        """Register what the evidence needs and collect suggested tags, in the background.

        A tag that the reader has taken keeps the reader's word; its evidence is renewed.
        """
        lesion = self.case.lesion(tracking_uid)
        if lesion is None or self.study is None:
            return None
        study, registrations = self.current_study, self.case.registrations

        def work(job: Job) -> tuple[Tag, ...]:
            from neuraxis.evidence import EvidenceContext, collect

            job.report(0.1, "collecting evidence")
            return tuple(collect(EvidenceContext(study=study, lesion=lesion, registrations=registrations)))

        def done(tags: tuple[Tag, ...]) -> None:
            if self.case.lesion(tracking_uid) is None:
                return
            taken = {t.concept: t for t in self.case.tags.get(tracking_uid, ()) if t.asserted_by}
            merged = tuple(_keep_word(tag, taken.get(tag.concept)) for tag in tags)
            self.change("collect evidence", self.case.with_tags(tracking_uid, merged))

        return self.jobs.start(
            f"collecting evidence for {lesion.label}", f"tags {tracking_uid}", work, done, self.post_error
        )

    def assert_tag(self, tracking_uid: str, concept: str, value: str | None) -> None:
        """The reader states a value for a concept (None: not reported); the verdict is that on this value."""
        tags = self.case.tags.get(tracking_uid, ())
        renewed = tuple(_asserted(t, value, self.reader or "reader") if t.concept == concept else t for t in tags)
        self.change(f"tag {concept}", self.case.with_tags(tracking_uid, renewed))

    def set_role(self, series_id: str, role: Role) -> None:
        """Correct what a series is."""
        from types import MappingProxyType

        roles = MappingProxyType({**self.case.roles, series_id: role})
        self.change("correct role", replace(self.case, roles=roles))

    def new_drawing_uid(self) -> str:
        """A name for a drawing, unique in this session."""
        self._drawings_made += 1
        return f"drawing {self._drawings_made}"

    def set_active_drawing(self, uid: str) -> None:
        """Choose a drawing: the delete key removes it."""
        if self.active_drawing != uid:
            self.active_drawing = uid
            self.case_changed.emit(self.case)

    def add_drawing(self, drawing: Drawing) -> None:
        """Place a tool's mark, or put it in place of the one with its uid."""
        kept = tuple(d for d in self.case.drawings if d.uid != drawing.uid)
        self.active_drawing = drawing.uid
        self.change(f"draw {drawing.tool}", replace(self.case, drawings=(*kept, drawing)))

    def delete_drawing(self, uid: str) -> None:
        """Remove a tool's mark."""
        kept = tuple(d for d in self.case.drawings if d.uid != uid)
        if len(kept) != len(self.case.drawings):
            self.change("delete drawing", replace(self.case, drawings=kept))

    def toggle_key_image(self, series_id: str, position: tuple[int, int] | None) -> None:
        """Mark or unmark the slice shown as a key image."""
        if position is None or not series_id:
            return
        image = (series_id, position[0])
        known = self.case.key_images
        kept = tuple(k for k in known if k != image) if image in known else (*known, image)
        self.change("key image", replace(self.case, key_images=kept))

    def subtract(self, post: Series, pre: Series) -> Job | None:
        """Add post minus pre as a computed series, in the background; needs one frame or an accepted registration."""
        from neuraxis.app.subtraction import subtract, subtraction_series

        link = LinkState.between(frame_key(post), frame_key(pre), self.case.registrations)
        if link.registration is None:
            self.post_error(UsageError(
                f"{post.title} and {pre.title} are not registered", expected="one frame of reference",
                remedy="register and accept under Linking first",
            ))
            return None
        way = None if link.same_frame else link.registration
        number = 1 + sum(s.id.startswith("computed") for s in self.series)

        def work(job: Job) -> Series:
            job.report(0.1, "reading")
            a, b = post.volume(), pre.volume()
            job.report(0.4, "subtracting")
            return subtraction_series(post, pre, subtract(a, b, way), number)

        return self.jobs.start(
            f"{post.role.role.value} minus {pre.role.role.value}", "subtract", work, self.add_series, self.post_error
        )

    def export_lesion(self, tracking_uid: str, folder: Path) -> Job | None:
        """Write a lesion as SR, SEG and JSON into a folder, in the background."""
        from neuraxis.app.handing_on import export_lesion

        lesion = self.case.lesion(tracking_uid)
        series = self.find_series(lesion.mask.series_id) if lesion else None
        if lesion is None or series is None:
            return None
        tags, now = self.case.tags.get(tracking_uid, ()), datetime.datetime.now(datetime.UTC)
        return self.jobs.start(
            f"exporting {lesion.label}", "export",
            lambda job: export_lesion(
                lesion, tags, series, folder, now, job.report, prefix=f"{lesion.label.replace(' ', '-')}-"
            ),
            lambda files: self.post_notice(f"{lesion.label} was written: " + ", ".join(f.name for f in files)),
            self.post_error,
        )

    # Registration

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

    def post_error(self, error: NeuraxisError) -> None:
        """Tell the user."""
        self.message_posted.emit(Message.from_error(error))

    def post_notice(self, text: str) -> None:
        """Tell the user something that is no error."""
        self.message_posted.emit(Message(text, is_error=False))

    def guard(self, action: Callable[[], None]) -> None:
        """Run something that may refuse; a refusal becomes a message."""
        try:
            action()
        except NeuraxisError as error:
            self.post_error(error)


def _asserted(tag: Tag, value: str | None, reader: str) -> Tag:
    from neuraxis.domain.tag import Verdict

    if value is None:
        return replace(tag, value=None, asserted_by=reader, verdict=Verdict.NEUTRAL)
    return replace(tag, value=value, asserted_by=reader, verdict=tag.verdict_on(value)[0])


def _keep_word(fresh: Tag, taken: Tag | None) -> Tag:
    return fresh if taken is None else _asserted(fresh, taken.value, taken.asserted_by)

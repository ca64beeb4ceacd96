"""What a reader does on a study: lesions, tags, drawings, roles, key images; long work runs in the background."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import uuid4

from psygnal import Signal

from neuraxis.app.history import Drawing
from neuraxis.app.jobs import Deliver, Job
from neuraxis.app.linked_study import LinkedStudy
from neuraxis.app.linking import LinkState, frame_key
from neuraxis.domain.geometry import Vector3
from neuraxis.domain.lesion import Lesion, LesionMask, LesionMeasurement
from neuraxis.domain.study import Role, Series
from neuraxis.domain.tag import Tag
from neuraxis.errors import UsageError

if TYPE_CHECKING:
    from neuraxis.evidence.context import DuralTailAnswers

STALE = "the mask was edited after these sizes were measured; they are being measured anew"
"""Warning on the sizes of a lesion between a stroke and the end of its measurement."""


class ReaderStudy(LinkedStudy):
    """The open study with everything a reader may ask for.

    Signals
    -------
    active_lesion_changed(tracking_uid or "")
    """

    active_lesion_changed = Signal(str)

    def __init__(self, deliver: Deliver) -> None:
        super().__init__(deliver)
        self.active_lesion = ""
        self.active_drawing = ""

    def _after_case_change(self) -> None:
        if self.active_lesion and self.case.lesion(self.active_lesion) is None:
            self.set_active_lesion("")
        self._measure_stale()
        super()._after_case_change()

    def set_active_lesion(self, tracking_uid: str) -> None:
        """Choose the lesion whose numbers and tags the sheets show."""
        if self.active_lesion != tracking_uid:
            self.active_lesion = tracking_uid
            self.active_lesion_changed.emit(tracking_uid)

    def segment_at(self, series_id: str, point_lps_mm: Vector3) -> Job | None:
        """Segment and measure a lesion from one point, in the background; then it is the active one."""
        from neuraxis.app.workup import lesion_from_mask, segment_on

        series = self.find_series(series_id)
        if series is None or not self.may_change():
            return None

        def work(job: Job) -> Lesion:
            job.report(0.1, "segmenting")
            mask = segment_on(series, point_lps_mm)
            job.report(0.5, "measuring")
            return lesion_from_mask(series, mask)

        def done(lesion: Lesion) -> None:
            number = len(self.case.lesions) + 1
            self.change("segment lesion", self.case.with_lesion(replace(lesion, label=f"lesion {number}")))
            if self.case.lesion(lesion.tracking_uid) is not None:
                self.set_active_lesion(lesion.tracking_uid)

        return self.jobs.start(
            f"segmenting on {series.title}", "segment", work, done, self.post_error, urgent=True
        )

    def edit_mask(self, tracking_uid: str, mask: LesionMask) -> None:
        """Put another mask in place of a lesion's: one step that can be undone, saved before it is measured anew.

        An empty mask deletes the lesion.
        """
        lesion = self.case.lesion(tracking_uid)
        if lesion is None or self.find_series(mask.series_id) is None:
            return
        if mask.voxel_count == 0:
            self.delete_lesion(tracking_uid)
            return
        warnings = (STALE, *(w for w in lesion.measurement.warnings if w != STALE))
        stale = replace(lesion, mask=mask, measurement=replace(lesion.measurement, warnings=warnings))
        self.change("edit mask", self.case.with_lesion(stale))

    def _measure_stale(self) -> None:
        """Measure, in the background, the lesions whose mask was edited since; also those left so by an earlier session."""
        for lesion in self.case.lesions:
            series = self.find_series(lesion.mask.series_id)
            if STALE in lesion.measurement.warnings and series is not None and not self.is_looking_back:
                self._measure(lesion, series)

    def _measure(self, lesion: Lesion, series: Series) -> None:
        def work(_job: Job) -> LesionMeasurement:
            from neuraxis.lesions import measure

            return measure(series.volume(), lesion.mask)

        def done(measurement: LesionMeasurement) -> None:
            now = self.case.lesion(lesion.tracking_uid)
            if now is not None and now.mask is lesion.mask:
                self.adjust("measured", self.case.with_lesion(replace(now, measurement=measurement)))
            else:
                self._measure_stale()

        self.jobs.start(f"measuring {lesion.label}", f"measure {lesion.tracking_uid}", work, done, self.post_error)

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
        if lesion is None or self.study is None or not self.may_change():
            return None
        study, registrations = self.current_study, self.case.registrations
        answers = self.case.dural_tails.get(tracking_uid)

        def work(job: Job) -> tuple[Tag, ...]:
            from neuraxis.evidence import EvidenceContext, collect
            from neuraxis.evidence.context import ReaderAnswers

            job.report(0.1, "collecting evidence")
            said = ReaderAnswers(dural_tail=answers)
            return tuple(collect(EvidenceContext(study, lesion, registrations, said)))

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

    def comment_tag(self, tracking_uid: str, concept: str, comment: str) -> None:
        """The reader's remark on a tag, in free words."""
        tags = self.case.tags.get(tracking_uid, ())
        remarked = tuple(replace(t, comment=comment) if t.concept == concept else t for t in tags)
        if remarked != tags:
            self.change(f"comment on {concept}", self.case.with_tags(tracking_uid, remarked))

    def answer_dural_tail(self, tracking_uid: str, answers: DuralTailAnswers) -> None:
        """The reader answers the three criteria; the evidence is collected anew with them."""
        given = MappingProxyType({**self.case.dural_tails, tracking_uid: answers})
        self.change("answer dural tail", replace(self.case, dural_tails=given))
        self.guard(lambda: (self.collect_tags(tracking_uid), None)[1])

    def set_role(self, series_id: str, role: Role) -> None:
        """Correct what a series is."""
        roles = MappingProxyType({**self.case.roles, series_id: role})
        self.change("correct role", replace(self.case, roles=roles))

    def new_drawing_uid(self) -> str:
        """A name for a drawing, unique in the case and in every other one."""
        return f"2.25.{uuid4().int}"

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


def _asserted(tag: Tag, value: str | None, reader: str) -> Tag:
    from neuraxis.domain.tag import Verdict

    if value is None:
        return replace(tag, value=None, asserted_by=reader, verdict=Verdict.NEUTRAL)
    return replace(tag, value=value, asserted_by=reader, verdict=tag.verdict_on(value)[0])


def _keep_word(fresh: Tag, taken: Tag | None) -> Tag:
    return fresh if taken is None else _asserted(fresh, taken.value, taken.asserted_by)

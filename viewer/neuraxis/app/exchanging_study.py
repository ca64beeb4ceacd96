"""What leaves a study and what comes in: lesions, whole cases and objects as files, with or without identifiers."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from neuraxis.app.history import CaseState
from neuraxis.app.jobs import Job
from neuraxis.app.reader_study import ReaderStudy
from neuraxis.app.taking_in import TakenIn, take_in


class ExchangingStudy(ReaderStudy):
    """The open study with what is exchanged with other systems; every job runs in the background."""

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

    def write_case(self, folder: Path) -> Job | None:
        """Write everything the reader made as SEG, SR, registrations, key images, JSON and table into a folder."""
        from neuraxis.app.case_objects import write_case_objects
        from neuraxis.interop.identity import Author

        study, state = self.study, self.case
        if study is None:
            return None
        author = Author(self.reader) if self.reader else None
        now = datetime.datetime.now(datetime.UTC)
        return self.jobs.start(
            "writing the case", "export",
            lambda job: write_case_objects(state, study, folder, author=author, written_at=now, progress=job.report),
            lambda files: self.post_notice(f"{len(files)} files were written to {folder.name}"), self.post_error,
        )

    def take_in(self, paths: Sequence[Path]) -> Job | None:
        """Read SEG, SR, RT structure sets, registrations and key images into the case; one step, one undo."""
        study, before = self.study, self.case
        if study is None:
            return None

        def done(taken: TakenIn) -> None:
            if self.case is not before:
                taken = TakenIn(_merged(self.case, before, taken.state), taken.lesions, taken.notes)
            if taken.state is not before:
                self.change("take in objects", taken.state)
            if taken.lesions:
                self.set_active_lesion(taken.lesions[0])
            self.post_notice("; ".join((f"{len(taken.lesions)} lesions were taken in", *taken.notes)))

        return self.jobs.start(
            "taking objects in", "take in", lambda _job: take_in(paths, study, before), done, self.post_error
        )

    def deidentify(self, folder: Path) -> Job | None:
        """Write the study and the case without identifiers into a new or empty folder."""
        from neuraxis.app.deidentified_export import export_deidentified, read_or_make_key
        from neuraxis.interop.deidentify import DeidentificationReport, Substitution

        study, state = self.study, self.case
        if study is None:
            return None
        lesions = [(one, state.tags.get(one.tracking_uid, ())) for one in state.lesions]
        now = datetime.datetime.now(datetime.UTC)

        def done(report: DeidentificationReport) -> None:
            left = f"{len(report.left_out)} files stayed behind" if report.left_out else ""
            self.post_notice("; ".join(
                part for part in (f"{len(report.written)} files without identifiers", left, *report.review) if part
            ))

        return self.jobs.start(
            "writing without identifiers", "export",
            lambda job: export_deidentified(
                study, folder, Substitution(read_or_make_key(None)), lesions=lesions, written_at=now, progress=job.report
            ),
            done, self.post_error,
        )


def _merged(now: CaseState, before: CaseState, taken: CaseState) -> CaseState:
    """What was taken in, put on what the reader did meanwhile."""
    from neuraxis.app.case_records import changes_between, records_of, state_of, with_changes
    from neuraxis.app.view_state import ViewState

    nothing = ViewState()
    changes = changes_between(records_of(before, nothing), records_of(taken, nothing))
    return state_of(with_changes(records_of(now, nothing), changes))

"""The figure desk without a toolkit: a recipe with undo, what is chosen in it, and its preview."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from neuraxis.align.planes import Projection
from neuraxis.app.figure_desk_preview import Preview, Sampled, read_files, sample_panels
from neuraxis.app.jobs import Job
from neuraxis.app.panel_scene import PanelScene
from neuraxis.app.session import StudySession
from neuraxis.app.views import OBLIQUE_BADGE_DEGREES
from neuraxis.errors import NeuraxisError, UsageError
from neuraxis.figures import editing, mark_editing
from neuraxis.figures.figure import SUFFIXES, Figure, draw_figure
from neuraxis.figures.pictures import picture_panel
from neuraxis.figures.recipe import JOURNAL_WIDTHS_MM, Recipe, VolumePanel
from neuraxis.figures.recipe_file import read_recipe, write_recipe
from neuraxis.figures.scene import Scene

if TYPE_CHECKING:
    from neuraxis.domain.lesion import Lesion
    from neuraxis.domain.study import Series

_PROJECTIONS = {Projection.MEAN: "mean", Projection.MIP: "max", Projection.MINIP: "min"}
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Chosen:
    """The panel, and the mark in it, that the next step is about."""

    letter: str = ""
    mark: int | None = None


class FigureDesk:
    """One figure in the making.

    Every step gives a new recipe and can be undone; while something is dragged the recipe is only proposed. Methods are
    called on the session's thread; voxels are sampled in the background.

    Signals
    -------
    changed : the recipe, what is chosen, or a picture of the preview
    """

    changed = Signal()

    def __init__(self, session: StudySession) -> None:
        self.session = session
        self.chosen = Chosen()
        self.folder = Path()
        """Where picture files lie: the recipe's folder."""
        self.preview = Preview()
        self._past: list[tuple[str, Recipe | None]] = []
        self._future: list[tuple[str, Recipe | None]] = []
        self._recipe: Recipe | None = None
        self._proposed: Recipe | None = None
        self._job: Job | None = None
        self._captures = 0
        self._merge = ""
        self._drawn: tuple[Recipe, Figure] | None = None
        self._painted: tuple[Recipe, int, Scene] | None = None
        self._samplings = 0

    # The recipe and its steps

    @property
    def recipe(self) -> Recipe | None:
        """The recipe as it is shown, None for an empty desk."""
        return self._proposed or self._recipe

    @property
    def undo_label(self) -> str | None:
        """What undo would take back."""
        return self._past[-1][0] if self._past else None

    @property
    def redo_label(self) -> str | None:
        """What redo would bring back."""
        return self._future[-1][0] if self._future else None

    def figure(self) -> Figure:
        """Where everything stands on the page; UsageError for an empty desk."""
        if self.recipe is None:
            raise UsageError("the figure is empty", remedy="capture a panel, open a recipe or paste a legend first")
        if self._drawn is None or self._drawn[0] is not self.recipe:
            self._drawn = self.recipe, self.preview.figure(self.recipe)
        return self._drawn[1]

    def settled_figure(self) -> Figure:
        """The figure as it was before anything was proposed; UsageError for an empty desk."""
        if self._recipe is None:
            return self.figure()
        return self.preview.figure(self._recipe)

    def scene(self) -> Scene | None:
        """The page as far as it is sampled."""
        recipe = self.recipe
        if recipe is None:
            return None
        if self._painted is None or self._painted[0] is not recipe or self._painted[1] != self._samplings:
            self._painted = recipe, self._samplings, self.preview.scene(recipe)
        return self._painted[2]

    def problems(self) -> dict[str, NeuraxisError]:
        """Why panels cannot be shown, by letter."""
        letters = {p.letter for p in self.recipe.panels} if self.recipe else set()
        return {k: s.problem for k, s in self.preview.sampled.items() if s.problem is not None and k in letters}

    def step(self, label: str, recipe: Recipe | None, *, merge: str = "") -> None:
        """Make a recipe the present one; the one before comes back with undo.

        Steps that follow each other with the same `merge` (turns of a wheel, presses of an arrow key) are one.
        """
        self._proposed = None
        if recipe == self._recipe:
            self._show(self._recipe)
            return
        if not merge or merge != self._merge or not self._past:
            self._past.append((label, self._recipe))
        self._merge = merge
        self._future.clear()
        self._show(recipe)

    def propose(self, recipe: Recipe) -> None:
        """Show a recipe while something is dragged; `settle` makes it a step, `drop_proposal` forgets it."""
        self._proposed = recipe
        self._sample()
        self.changed.emit()

    def settle(self, label: str) -> None:
        """Keep what was proposed as one step."""
        if self._proposed is not None:
            self.step(label, self._proposed)

    def drop_proposal(self) -> None:
        """Forget what was proposed."""
        if self._proposed is not None:
            self._proposed = None
            self._show(self._recipe)

    def undo(self) -> None:
        """Take back the last step."""
        if self._past:
            label, recipe = self._past.pop()
            self._merge = ""
            self._future.append((label, self._recipe))
            self._proposed = None
            self._show(recipe)

    def redo(self) -> None:
        """Bring back what was taken back last."""
        if self._future:
            label, recipe = self._future.pop()
            self._past.append((label, self._recipe))
            self._proposed = None
            self._show(recipe)

    def clear(self) -> None:
        """Forget everything, as for another study."""
        self._past.clear()
        self._future.clear()
        self._recipe = self._proposed = None
        self.preview, self.chosen, self._merge = Preview(), Chosen(), ""
        self._drawn = self._painted = None
        if self._job is not None:
            self._job.cancel()
        self.changed.emit()

    def _show(self, recipe: Recipe | None) -> None:
        if recipe is not None and self._recipe is not None:
            self.preview.rename(self._recipe, recipe)
        self._recipe = recipe
        letters = [p.letter for p in recipe.panels] if recipe else []
        if self.chosen.letter not in letters:
            self.chosen = Chosen(letters[0] if letters else "")
        elif recipe is not None and (self.chosen.mark or 0) >= len(mark_editing.marks_of(recipe, self.chosen.letter)):
            self.chosen = Chosen(self.chosen.letter)
        self._sample()
        self.changed.emit()

    def choose(self, letter: str, mark: int | None = None) -> None:
        """Choose a panel, or a mark in it."""
        self.chosen = Chosen(letter, mark)
        self.changed.emit()

    def _sample(self) -> None:
        """Sample what is out of date in the background; an earlier run that is not done is stopped."""
        recipe = self.recipe
        if self._job is not None:
            self._job.cancel()
            self._job = None
        if recipe is None or self.session.study is None:
            return
        wanted = self.preview.stale(recipe)
        if not wanted:
            return
        study, registrations = self.session.current_study, self.session.case.registrations

        def done(made: dict[str, Sampled]) -> None:
            self._job = None
            self.preview.sampled.update(made)
            self._samplings += 1
            self.changed.emit()

        self._job = self.session.jobs.start(
            "drawing the figure", "figure preview",
            lambda job: sample_panels(wanted, recipe, study, registrations, job.report), done, self.session.post_error,
            urgent=True,
        )

    def edit(self, label: str, change: Callable[[Figure], Recipe], *, merge: str = "") -> None:
        """One step from the figure as it stands; a refusal becomes a message."""
        self.session.guard(lambda: self.step(label, change(self.figure()), merge=merge))

    # Panels from elsewhere

    def next_letter(self) -> str:
        """The first letter that no panel has."""
        used = {p.letter for p in self.recipe.panels} if self.recipe else set()
        return next((x for x in _LETTERS if x not in used), f"p{len(used) + 1}")

    def capture(self, scene: PanelScene) -> None:
        """Add what a panel of the reading grid shows now, as the square around its middle."""
        series, view, window = scene.series, scene.view(), scene.window()
        if series is None or view is None or window is None or scene.volume is None or scene.native is None:
            self.session.post_notice("Nothing to capture: the active panel shows no volume yet.")
            return
        side = min(view.width, view.height) * view.mm_per_pixel
        state, native, centre, right, down = scene.state, scene.native, view.centre_lps_mm, view.right, view.down
        straight = not state.is_oblique and native.tilt_degrees <= OBLIQUE_BADGE_DEGREES
        slab = state.slab_mm if state.projection is not Projection.NONE else 0.0
        left_out = [words for words, there in (
            ("the fused series", bool(state.overlay_id)), ("inverted grey", state.inverted)) if there]

        def work(job: Job) -> VolumePanel:
            job.report(0.1, "reading the voxels")
            return editing.captured_panel(
                "a", series, series.volume(), centre_lps_mm=centre, right=right, down=down,
                field_of_view_mm=(round(side, 2), round(side, 2)), window=window,
                name=state.orientation.value if straight else "oblique", slab_mm=slab,
                projection=_PROJECTIONS.get(state.projection, "mean"),
            )

        self._captures += 1
        self.session.jobs.start(
            "capturing the panel", f"capture {self._captures}", work,
            lambda panel: self._add_captured(panel, left_out), self.session.post_error, urgent=True,
        )

    def _add_captured(self, panel: VolumePanel, left_out: list[str]) -> None:
        named = panel.model_copy(update={"letter": self.next_letter()})
        recipe = self._recipe
        self.session.guard(lambda: self.step(
            f"capture {named.text}", Recipe(panels=(named,), width_mm=JOURNAL_WIDTHS_MM[0]) if recipe is None else editing.with_panel(recipe, named)
        ))
        self.choose(named.letter)
        if left_out:
            self.session.post_notice(f"The figure's panel {named.letter} is drawn without {' and '.join(left_out)}.")

    def add_picture(self, path: Path) -> None:
        """Add a picture file (histology, photograph) as a panel; it has to lie beside the figure's other pictures."""
        def act() -> None:
            if not self.preview.files:
                self.folder = path.parent
            panel = picture_panel(path, self.next_letter(), self.folder)
            recipe = Recipe(panels=(panel,), width_mm=JOURNAL_WIDTHS_MM[0]) if self._recipe is None else editing.with_panel(self._recipe, panel)
            self.preview.files.update(read_files(recipe, self.folder))
            self.step("add picture", recipe)
            self.choose(panel.letter)

        self.session.guard(act)

    def from_legend(self, text: str) -> Job | None:
        """Lay out the figure that a legend describes, centred on the active lesion or on the linked point."""
        if self.session.study is None:
            self.session.post_notice("No study is open.")
            return None
        lesion = self.session.case.lesion(self.session.active_lesion)
        series = self.session.find_series(self.session.point_source) or next(
            (s for s in self.session.series if s.is_volume), None
        )
        if lesion is None and series is None:
            self.session.post_notice("The study has no volume to draw a figure from.")
            return None
        return self.session.jobs.start(
            "laying out the figure", "figure from legend", self._legend_work(text, lesion, series),
            lambda recipe: self.step("figure from legend", recipe), self.session.post_error, urgent=True,
        )

    def _legend_work(self, text: str, lesion: Lesion | None, series: Series | None) -> Callable[[Job], Recipe]:
        study, registrations = self.session.current_study, self.session.case.registrations
        point = self.session.point_in(series) if series is not None else None

        def work(job: Job) -> Recipe:
            from neuraxis.app.workup import imaging_figure
            from neuraxis.figures.from_legend import recipe_at_point, recipe_from_legend

            job.report(0.1, "reading the legend")
            wanted = imaging_figure(text)
            if lesion is not None:
                return recipe_from_legend(study, wanted, lesion, registrations)
            if series is None or point is None:
                raise UsageError("neither a lesion nor a point is chosen", remedy="segment the lesion first")
            return recipe_at_point(study, wanted, point, series.frame_of_reference_uid, registrations)

        return work

    # Files

    def open_recipe(self, path: Path) -> None:
        """Take a recipe from a file."""
        def act() -> None:
            recipe = read_recipe(path)
            self.preview.files.update(read_files(recipe, path.parent))
            self.folder = path.parent
            self.step("open recipe", recipe)

        self.session.guard(act)

    def save_recipe(self, path: Path) -> None:
        """Write the recipe as YAML; the figure can be made again from it."""
        self.session.guard(lambda: (write_recipe(self.figure_recipe(), path), None)[1])

    def figure_recipe(self) -> Recipe:
        """The recipe; UsageError for an empty desk."""
        self.figure()
        assert self.recipe is not None
        return self.recipe

    def export(self, path: Path, *, all_formats: bool = False) -> Job | None:
        """Write the figure at its full resolution, with the recipe beside it, in the background.

        `all_formats` writes every format, with the names of `path` and the formats' endings.
        """
        if self._recipe is None or self.session.study is None:
            self.session.guard(lambda: (self.figure(), None)[1])
            return None
        recipe, folder = self._recipe, self.folder
        study, registrations = self.session.current_study, self.session.case.registrations
        targets = [path.with_suffix(s) for s in SUFFIXES if s != ".tiff"] if all_formats else [path]

        def work(job: Job) -> list[Path]:
            job.report(0.05, "drawing")
            figure = draw_figure(recipe, study, registrations=registrations, folder=folder)
            for number, target in enumerate(targets):
                job.report(0.2 + 0.8 * number / len(targets), target.suffix)
                figure.save(target)
            return [*targets, write_recipe(recipe, path.with_suffix(".recipe.yaml"))]

        return self.session.jobs.start(
            "exporting the figure", "figure export", work,
            lambda files: self.session.post_notice("The figure was written: " + ", ".join(f.name for f in files)),
            self.session.post_error,
        )

    def allow(self, override: str) -> None:
        """Draw in spite of a privacy refusal; stands in the recipe by its name."""
        self.edit(f"allow {override}", lambda f: editing.revalidated(
            f.recipe, privacy_overrides=tuple(dict.fromkeys((*f.recipe.privacy_overrides, override)))))

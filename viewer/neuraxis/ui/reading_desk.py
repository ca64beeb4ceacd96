"""The reading grid with its tool bar and the line that tells what is under the mouse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qtpy.QtCore import QEvent, QSize, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QInputDialog, QLabel, QMenu, QToolBar, QToolButton, QVBoxLayout, QWidget

from neuraxis.align.planes import Projection
from neuraxis.app.commands import Command, command
from neuraxis.app.hanging import MAX_COLUMNS, MAX_ROWS, Hanging, hanging_from_states, hangings
from neuraxis.app.options import ReadingChoices, ReadingOptions, Tool
from neuraxis.app.session import StudySession
from neuraxis.app.views import Orientation
from neuraxis.ui.connections import Connections
from neuraxis.ui.grid_commands import GridCommands
from neuraxis.ui.kept_layout import KeptLayout
from neuraxis.ui.key_editor import KeyEditor
from neuraxis.ui.key_sheet import KeySheet
from neuraxis.ui.reading_grid import ReadingGrid
from neuraxis.ui.texts import say
from neuraxis.ui.tool_icons import tool_icon
from neuraxis.ui.window_menu import fill_window_menu

BANNER = say("reading_desk.for_teaching_and_research")
SHOWN_TOOLS = (
    Tool.WINDOW, Tool.CROSSHAIR, Tool.PAN, Tool.ZOOM, Tool.SCROLL, Tool.ROTATE, Tool.SEGMENT, Tool.LENGTH,
    Tool.BIDIRECTIONAL, Tool.ANGLE, Tool.ELLIPSE, Tool.POLYGON, Tool.PROBE, Tool.WINDOW_REGION,
)


class ReadingDesk(QWidget):
    """Tool bar, reading grid, read-out. This is the centre of the window and a dock widget in napari.

    Signals
    -------
    hanging_saved(Hanging) : the user keeps a layout as a protocol
    keys_changed(tuple of Command) : the user chose other keys
    """

    hanging_saved = Signal(object)
    keys_changed = Signal(object)

    def __init__(
        self, session: StudySession, choices: ReadingChoices | None = None,
        commands: tuple[Command, ...] | None = None, parent: QWidget | None = None,
        options: ReadingOptions | None = None,
    ) -> None:
        super().__init__(parent)
        self._buttons: list[tuple[str, QToolButton]] = []
        self._tool_buttons: dict[Tool, QToolButton] = {}
        self.own_hangings: list[Hanging] = []
        self.session = session
        self.options = options or ReadingOptions(choices)
        self.kept_layout = KeptLayout(session)
        self.grid = ReadingGrid(session, self.options, self)
        self.kept_layout.follow(self.grid)
        self.commands = GridCommands(self.grid, commands) if commands else GridCommands(self.grid)
        self.commands.extra["help.keys"] = lambda: (self.show_keys(), None)[1]
        self.commands.extra["help.edit_keys"] = lambda: (self.edit_keys(), None)[1]
        self.bar = QToolBar(self)
        self.bar.setIconSize(QSize(20, 20))
        self.readout = QLabel(self)
        self.readout.setTextFormat(Qt.TextFormat.PlainText)
        self.readout.setMinimumWidth(50)
        self.banner = QLabel(BANNER, self)
        self.banner.setObjectName("stance")
        self._fill_bar()
        self._draw_icons()
        line = QHBoxLayout()
        line.setContentsMargins(6, 0, 6, 2)
        line.addWidget(self.readout, 1)
        line.addWidget(self.banner)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.bar)
        column.addWidget(self.grid, 1)
        column.addLayout(line)
        self._links = Connections(self)
        self._links.connect(self.options.changed, self._show_tool)
        self._links.connect(self.grid.hovered, self.readout.setText)
        self._links.connect(self.grid.menu_requested, self._panel_menu)
        self._show_tool()

    def detach(self) -> None:
        """Stop listening, with the grid."""
        self._links.release()
        self.kept_layout.detach()
        self.grid.detach()

    def show_keys(self) -> KeySheet:
        """The key sheet."""
        sheet = KeySheet(self.commands.commands, self)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.open()
        return sheet

    def edit_keys(self) -> KeyEditor:
        """The editor of keys; what is kept there holds at once."""
        editor = KeyEditor(self.commands.commands, self)
        editor.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        editor.keys_chosen.connect(self.set_commands)
        editor.open()
        return editor

    def set_commands(self, commands: Any) -> None:
        """Bind other keys; the tooltips tell them."""
        self.commands.set_commands(commands)
        for command_id, button in self._buttons:
            button.setToolTip(self.commands.tooltip(command_id))
        self.keys_changed.emit(commands)

    # Tool bar

    def _fill_bar(self) -> None:
        self.hang_button = self._menu_button(say("reading_desk.hang"), say("reading_desk.hanging_protocols_and_layouts"), self._fill_hang_menu)
        self.window_button = self._menu_button(
            say("reading_desk.window"), say("reading_desk.window_presets_1_to"), lambda menu: fill_window_menu(menu, self.commands)
        )
        self.bar.addSeparator()
        for orientation in Orientation:
            self._button(orientation.value[:2].capitalize(), f"view.{orientation.value}")
        self.slab_button = self._menu_button(say("reading_desk.slab"), say("reading_desk.mip_minip_mean_alt"), self._fill_slab_menu)
        self.bar.addSeparator()
        for tool in SHOWN_TOOLS:
            button = self._button("", f"tool.{tool.value}")
            button.setCheckable(True)
            button.setAccessibleName(tool.value)
            self._tool_buttons[tool] = button
        self.bar.addSeparator()
        for text, command_id in (
            (say("reading_desk.fit"), "view.fit"), (say("reading_desk.focus"), "view.focus"), (say("reading_desk.keys"), "help.keys"),
        ):
            self._button(text, command_id)

    def _button(self, text: str, command_id: str) -> QToolButton:
        button = QToolButton(self.bar)
        button.setText(text)
        button.setToolTip(self.commands.tooltip(command_id))
        self._buttons.append((command_id, button))
        button.clicked.connect(lambda _checked=False: self.run(command_id))
        self.bar.addWidget(button)
        return button

    def _menu_button(self, text: str, tip: str, fill: Any) -> QToolButton:
        button = QToolButton(self.bar)
        button.setText(text)
        button.setToolTip(tip)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.aboutToShow.connect(lambda: fill(menu))
        button.setMenu(menu)
        self.bar.addWidget(button)
        return button

    def run(self, command_id: str) -> None:
        """A command from a button; the keys go back to the grid."""
        self.commands.run(command_id)
        self.grid.active.setFocus()
        self._show_tool()

    def changeEvent(self, event: Any) -> None:
        """The icons take the colours of a new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._draw_icons()

    def _draw_icons(self) -> None:
        for tool, button in self._tool_buttons.items():
            button.setIcon(tool_icon(tool, self.palette()))

    def _show_tool(self) -> None:
        for tool, button in self._tool_buttons.items():
            button.setChecked(tool is self.options.now.tool)

    def _fill_hang_menu(self, menu: QMenu) -> None:
        menu.clear()
        for protocol in (*hangings(), *self.own_hangings):
            menu.addAction(protocol.name, lambda p=protocol: self.grid.apply_protocol(p))
        uids = self.grid.study_uids
        for number, prior in enumerate(uids[1:], start=1):
            label = self.session.labels.get(prior)
            known = label is not None and bool(label.day) and self.options.now.show_names
            day = label.day if label is not None and known else say("reading_desk.study", number=number + 1)
            menu.addAction(say("reading_desk.newest_beside", day=day), lambda uid=prior: self.grid.compare_dates(uid))
        menu.addAction(say("reading_desk.save_this_layout"), self.ask_hanging_name)
        menu.addSeparator()
        for rows in range(1, MAX_ROWS + 1):
            for columns in range(1, MAX_COLUMNS + 1):
                menu.addAction(
                    f"{rows} x {columns}", lambda r=rows, c=columns: self.grid.change_layout(r, c)
                )

    def ask_hanging_name(self) -> None:
        """Ask for a name and keep what hangs now as a protocol."""
        name, accepted = QInputDialog.getText(self, say("reading_desk.save_this_layout_2"), say("reading_desk.name_of_the_hanging"))
        if accepted and name.strip():
            self.save_hanging(name.strip())

    def save_hanging(self, name: str) -> None:
        """Keep what hangs now under a name."""
        grid = self.grid
        made = hanging_from_states(name, grid.rows, grid.columns, [p.state for p in grid.panels], self.session.series)
        self.own_hangings = [*(h for h in self.own_hangings if h.key != made.key), made]
        self.hanging_saved.emit(made)

    def _fill_slab_menu(self, menu: QMenu) -> None:
        menu.clear()
        for name in ("none", "mip", "minip", "mean"):
            menu.addAction(command(f"slab.{name}").text, lambda n=name: self.commands.run(f"slab.{n}"))
        menu.addSeparator()
        for mm in (5, 10, 16, 20, 30):
            menu.addAction(say("reading_desk.mm_thick", mm=mm), lambda t=mm: self._set_slab(float(t)))

    def _set_slab(self, slab_mm: float) -> None:
        panel = self.grid.active
        projection = panel.state.projection if panel.state.projection is not Projection.NONE else Projection.MIP
        panel.set_state(panel.scene.with_slab(slab_mm, projection))

    # Menu of a panel

    def _panel_menu(self, panel: Any, position: Any) -> None:
        menu = self.panel_menu(panel)
        menu.exec(position)
        menu.deleteLater()

    def panel_menu(self, panel: Any) -> QMenu:
        """Series, plane, window, slab, fusion of one panel."""
        menu = QMenu(self)
        shown = menu.addMenu(say("reading_desk.series"))
        fused = menu.addMenu(say("reading_desk.fuse_with"))
        for series in self.session.series:
            if series.is_volume:
                shown.addAction(series.title, lambda s=series: panel.set_state(panel.state.showing(s.id)))
                if series.id != panel.state.series_id:
                    fused.addAction(series.title, lambda s=series: self.fuse(panel, s.id))
        fused.addAction(say("reading_desk.nothing"), lambda: self.fuse(panel, ""))
        if panel.state.overlay_id:
            fused.addSeparator()
            for command_id in ("fusion.swipe", "fusion.flicker", "fusion.colours", "fusion.more", "fusion.less"):
                fused.addAction(command(command_id).text, lambda i=command_id: self.commands.run(i))
        fill_window_menu(menu.addMenu(say("reading_desk.window")), self.commands)
        self._fill_slab_menu(menu.addMenu(say("reading_desk.slab")))
        menu.addSeparator()
        for command_id in (
            "view.axial", "view.coronal", "view.sagittal", "view.native", "view.link", "view.invert", "view.smooth",
            "view.same_thickness", "view.maximise",
        ):
            action = menu.addAction(command(command_id).text)
            action.triggered.connect(lambda _c=False, i=command_id: self.commands.run(i))
        return menu

    def fuse(self, panel: Any, series_id: str) -> None:
        """Show a second series over the panel's; refused where no registration links the two."""
        mine, other = panel.scene.series, self.session.find_series(series_id)
        if other is not None and mine is not None:
            link = self.session.link(mine, other)
            if link.registration is None and not link.same_frame:
                self.session.post_notice(
                    say("reading_desk.and_have_different_frames", title=other.title, title2=mine.title)
                )
                return
        panel.set_state(replace(panel.state, overlay_id=series_id, overlay_opacity=0.5, swipe=None))

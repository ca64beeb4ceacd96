"""Tags of the active lesion: the reader's word, what the voxels say of it, and the evidence on a click."""

from __future__ import annotations

from html import escape
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from neuraxis.app.session import StudySession
from neuraxis.domain.lexicon import Lexicon, load_lexicon
from neuraxis.domain.tag import Evidence, Tag
from neuraxis.ui import theme
from neuraxis.ui.connections import Connections
from neuraxis.ui.dural_tail_form import DuralTailForm
from neuraxis.ui.texts import say

_CONCEPT = Qt.ItemDataRole.UserRole
NOT_REPORTED = say("tag_sheet.not_reported")
HINT = (
    say("tag_sheet.segment_a_lesion_then")
)


def word_of(lexicon: Lexicon, concept: str, value: str = "") -> str:
    """The lexicon's label, or the key in plain letters."""
    if (concept, value) in lexicon:
        return lexicon.term(concept, value).meaning
    return (value or concept).replace("_", " ")


def verdict_text(tag: Tag) -> str:
    """Icon and word, so that colour is not needed."""
    return f"{theme.VERDICT_ICONS[tag.verdict]} {theme.VERDICT_WORDS[tag.verdict]}"


def evidence_html(tag: Tag, lexicon: Lexicon, titles: dict[str, str]) -> str:
    """The evidence for one tag: metric, number, series, rule, reason; then what is said of the other values."""
    parts = [f"<b>{escape(word_of(lexicon, tag.concept))}</b>"]
    if not tag.evidence:
        parts.append("<p>No metric speaks to this tag: the reader's word stands alone.</p>")
    parts += [_evidence_block(e, titles) for e in tag.evidence]
    if tag.values:
        parts.append("<p><b>Other values</b></p><ul>")
        parts += [
            f"<li>{escape(word_of(lexicon, tag.concept, value))}: {theme.VERDICT_ICONS[verdict]} "
            f"{theme.VERDICT_WORDS[verdict]}. {escape(reason)}</li>"
            for value, verdict, reason in tag.values
        ]
        parts.append("</ul>")
    return "".join(parts)


def _evidence_block(evidence: Evidence, titles: dict[str, str]) -> str:
    number = say("tag_sheet.not_computed")
    if evidence.value is not None:
        spread = f" ± {evidence.uncertainty:.3g}" if evidence.uncertainty else ""
        unit = "" if evidence.unit in ("1", "ratio") else f" {evidence.unit}"
        number = f"{evidence.value:.4g}{spread}{unit}"
    series = titles.get(evidence.series_uid, "")
    where = f" on {series}" if series else ""
    inputs = f"<br><small>{escape('; '.join(evidence.inputs))}</small>" if evidence.inputs else ""
    return (
        f"<p>{theme.VERDICT_ICONS[evidence.verdict]} {theme.VERDICT_WORDS[evidence.verdict]}: "
        f"{escape(evidence.metric.replace('_', ' '))} = {escape(number)}{escape(where)}<br>{escape(evidence.reason)}"
        f"<br><small>Rule: {escape(evidence.rule)}</small>{inputs}</p>"
    )


class TagSheet(QWidget):
    """One row a concept: value (to be chosen), verdict. A click shows the evidence.

    Signals
    -------
    point_requested(frame of reference uid, LPS point) : show where a piece of evidence lies
    register_requested() : series that evidence needs are not registered
    """

    point_requested = Signal(str, object)
    register_requested = Signal()

    def __init__(self, session: StudySession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.lexicon = load_lexicon()
        self.tree = QTreeWidget(self)
        self.tree.setHeaderLabels([say("tag_sheet.tag"), say("tag_sheet.value"), say("tag_sheet.voxels_say")])
        self.tree.setRootIsDecorated(False)
        self.tree.setAlternatingRowColors(True)
        self.tree.setAccessibleName(say("tag_sheet.tags_of_the_active"))
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.header().resizeSection(0, self.fontMetrics().horizontalAdvance(say("tag_sheet.susceptibility_blooming")) + 8)
        self.tree.header().setStretchLastSection(False)
        self.tree.currentItemChanged.connect(self._show_evidence)
        self.evidence = QTextBrowser(self)
        self.evidence.setAccessibleName(say("tag_sheet.evidence_for_the_chosen"))
        self.hint = QLabel(HINT, self)
        self.hint.setWordWrap(True)
        self.collect = self._button(say("tag_sheet.collect_evidence"), say("tag_sheet.measure_what_the_voxels"), self._collect)
        self.next = self._button(say("tag_sheet.next_open_tag"), say("tag_sheet.the_next_tag_without"), self.next_open)
        self.show_point = self._button(say("tag_sheet.show_place"), say("tag_sheet.crosshair_to_where_this"), self._show_place)
        self.tail = self._button(say("tag_sheet.dural_tail"), say("tag_sheet.answer_the_three_criteria"), self.ask_dural_tail)
        buttons = QHBoxLayout()
        for button in (self.collect, self.next, self.show_point, self.tail):
            buttons.addWidget(button)
        split = QSplitter(Qt.Orientation.Vertical, self)
        split.addWidget(self.tree)
        split.addWidget(self.evidence)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addLayout(buttons)
        column.addWidget(self.hint)
        column.addWidget(split, 1)
        self._shown: tuple[Tag, ...] | None = None
        self._links = Connections(self)
        self._links.connect(session.case_changed, self._refresh)
        self._links.connect(session.active_lesion_changed, self._refresh)
        self._refresh(None)

    def _button(self, text: str, tip: str, does: Any) -> QPushButton:
        button = QPushButton(text, self)
        button.setToolTip(tip)
        button.clicked.connect(lambda _checked=False: does())
        return button

    def detach(self) -> None:
        """Stop listening."""
        self._links.release()

    def tags(self) -> tuple[Tag, ...]:
        """Tags of the active lesion."""
        return self.session.case.tags.get(self.session.active_lesion, ())

    def _refresh(self, _what: Any) -> None:
        lesion = self.session.case.lesion(self.session.active_lesion)
        self.collect.setEnabled(lesion is not None)
        self.tail.setEnabled(lesion is not None)
        tags = self.tags()
        self.next.setEnabled(bool(tags))
        self.hint.setVisible(not tags)
        if tags == self._shown:
            return
        self._shown = tags
        current = self._current_concept()
        self.tree.blockSignals(True)
        self.tree.clear()
        for tag in tags:
            self._add_row(tag)
        self.tree.blockSignals(False)
        self._select(current or (tags[0].concept if tags else ""))
        self._show_evidence(self.tree.currentItem(), None)

    def _add_row(self, tag: Tag) -> None:
        item = QTreeWidgetItem([word_of(self.lexicon, tag.concept), "", verdict_text(tag)])
        item.setData(0, _CONCEPT, tag.concept)
        item.setForeground(2, theme.VERDICT_COLOURS[tag.verdict])
        item.setToolTip(0, word_of(self.lexicon, tag.concept))
        word = say("tag_sheet.your_word") if tag.asserted_by else say("tag_sheet.suggested_by_the_voxels")
        item.setToolTip(1, word)
        self.tree.addTopLevelItem(item)
        self.tree.setItemWidget(item, 1, self._value_box(tag))

    def _value_box(self, tag: Tag) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(say("tag_sheet.value_of", concept=word_of(self.lexicon, tag.concept)))
        box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        values = list(self.lexicon.values(tag.concept)) if (tag.concept, "") in self.lexicon else []
        values += [v for v, _, _ in tag.values if v not in values]
        if tag.value and tag.value not in values:
            values.append(tag.value)
        suggested = "" if tag.asserted_by or tag.value is None else tag.value
        first = f"({word_of(self.lexicon, tag.concept, suggested)}?)" if suggested else NOT_REPORTED
        box.addItem(first, None)
        for value in values:
            box.addItem(word_of(self.lexicon, tag.concept, value), value)
        if tag.asserted_by and tag.value is not None:
            box.setCurrentIndex(1 + values.index(tag.value))
        box.setToolTip(box.currentText())
        box.setMinimumContentsLength(9)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.activated.connect(lambda index, b=box, c=tag.concept: self._assert(c, b.itemData(index)))
        return box

    def _assert(self, concept: str, value: Any) -> None:
        self._select(concept)
        uid = self.session.active_lesion
        self.session.assert_tag(uid, concept, None if value is None else str(value))

    def _collect(self) -> None:
        if self.session.unlinked_frames():
            self.register_requested.emit()
        self.session.guard(lambda: (self.session.collect_tags(self.session.active_lesion), None)[1])

    def ask_dural_tail(self) -> DuralTailForm:
        """Ask the three questions for the active lesion; the evidence follows the answers."""
        uid = self.session.active_lesion
        form = DuralTailForm(self.session, self.session.case.dural_tails.get(uid), self)
        form.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        form.accepted.connect(lambda: self._answered(uid, form))
        form.open()
        return form

    def _answered(self, uid: str, form: DuralTailForm) -> None:
        answers = form.answers()
        if answers is not None:
            self._select("dural_tail")
            self.session.answer_dural_tail(uid, answers)

    def next_open(self) -> None:
        """Choose the next tag that has no reader's word."""
        tags = self.tags()
        names = [t.concept for t in tags]
        start = names.index(self._current_concept()) + 1 if self._current_concept() in names else 0
        for tag in (*tags[start:], *tags[:start]):
            if not tag.asserted_by:
                self._select(tag.concept)
                return
        self.session.post_notice(say("tag_sheet.every_tag_has_your"))

    def _select(self, concept: str) -> None:
        for row in range(self.tree.topLevelItemCount()):
            if self.tree.topLevelItem(row).data(0, _CONCEPT) == concept:
                self.tree.setCurrentItem(self.tree.topLevelItem(row))

    def _current_concept(self) -> str:
        item = self.tree.currentItem()
        return str(item.data(0, _CONCEPT)) if item is not None else ""

    def _current_tag(self) -> Tag | None:
        concept = self._current_concept()
        return next((t for t in self.tags() if t.concept == concept), None)

    def _show_evidence(self, _item: Any, _before: Any) -> None:
        tag = self._current_tag()
        titles = {s.series_uid: s.title for s in self.session.series}
        self.evidence.setHtml(evidence_html(tag, self.lexicon, titles) if tag else "")
        self.show_point.setEnabled(tag is not None and any(e.where_lps_mm is not None for e in tag.evidence))

    def _show_place(self) -> None:
        tag = self._current_tag()
        for evidence in tag.evidence if tag else ():
            if evidence.where_lps_mm is not None:
                self.point_requested.emit(evidence.frame_of_reference_uid, evidence.where_lps_mm)
                return

"""What only the reader says, what every metric says of itself, and the table that is display only."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.study import Role
from neuraxis.domain.tag import Verdict
from neuraxis.evidence import (
    DuralTailAnswers,
    EvidenceContext,
    ReaderAnswers,
    collect,
    describe_all,
    metrics,
    mimics_table,
)
from neuraxis.evidence.dural_tail import judge, path_length_mm

YES = DuralTailAnswers(True, True, True, ((0.0, 0.0, 0.0), (3.0, 4.0, 0.0), (3.0, 4.0, 2.0)))


@pytest.mark.parametrize(
    ("answers", "adequate", "value", "verdict"),
    [
        (None, True, "none", Verdict.NOT_ASSESSABLE),
        (YES, True, "present", Verdict.SUPPORTS),
        (YES, True, "none", Verdict.CONTRADICTS),
        (DuralTailAnswers(True, False, True), True, "present", Verdict.NOT_ASSESSABLE),
        (DuralTailAnswers(False, False, False), True, "none", Verdict.SUPPORTS),
        (DuralTailAnswers(False, False, False), False, "none", Verdict.NOT_ASSESSABLE),
    ],
)
def test_a_dural_tail_is_decided_by_the_reader_alone(
    answers: DuralTailAnswers | None, adequate: bool, value: str, verdict: Verdict
) -> None:
    assert judge(answers, adequate, "isotropic")[value][0] is verdict


def test_length_of_the_drawn_path() -> None:
    assert path_length_mm(YES) == pytest.approx(7.0)
    assert path_length_mm(DuralTailAnswers(True, True, True)) is None


def test_a_compartment_stated_by_the_reader_is_carried_and_never_decided(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    context = make_context(radius <= 3, {Role.CT: np.where(radius <= 3, 700.0, 30.0)}, grid)
    stated = EvidenceContext(context.study, context.lesion, answers=ReaderAnswers(compartment="extra_axial"))
    tag = next(t for t in collect(stated) if t.concept == "compartment")
    assert (tag.value, tag.asserted_by) == ("extra_axial", "reader")
    assert not {v for _, v, _ in tag.values} & {Verdict.SUPPORTS, Verdict.CONTRADICTS}


def test_ct_alone_says_nothing_of_mr_concepts_and_every_tag_has_a_reason(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    tags = {t.concept: t for t in collect(make_context(radius <= 3, {Role.CT: np.where(radius <= 3, 700.0, 30.0)}, grid))}
    for concept in ("t1_signal", "t2_signal", "blooming", "enhancement", "dural_tail", "perilesional_oedema"):
        assert tags[concept].verdict is Verdict.NOT_ASSESSABLE
        assert tags[concept].value is None
    assert tags["calcification"].value == "dense"
    assert all(e.reason and e.rule for t in tags.values() for e in t.evidence)
    assert len(tags) == len({m for metric in metrics() for m in metric.describe().concepts})


def test_every_metric_describes_itself_with_source_and_status() -> None:
    page = describe_all()
    for metric in metrics():
        d = metric.describe()
        assert d.mark in ("lit", "T", "prop")
        assert all((d.formula, d.source, d.rules, d.limits))
        assert f"(`{d.key}`)" in page
    assert len({m.describe().key for m in metrics()}) == len(metrics())


def test_thresholds_without_validation_are_marked_so() -> None:
    for metric in metrics():
        d = metric.describe()
        if d.mark == "prop" and d.key not in ("not_measured", "bordering_tissue"):
            assert any("[prop" in rule or "prop:" in rule for rule in d.rules), d.key


def test_the_mimics_table_is_alphabetical_and_has_no_score() -> None:
    table = mimics_table()
    names = [row.entity for row in table]
    assert names == sorted(names, key=str.casefold)
    assert {"CAPNON", "Meningioma", "Cavernoma", "Chordoma"} <= set(names)
    assert all(row.sources and row.findings for row in table)
    concepts = {c for metric in metrics() for c in metric.describe().concepts}
    assert {c for row in table for c, _ in row.findings} <= concepts
    assert not hasattr(table[0], "score")

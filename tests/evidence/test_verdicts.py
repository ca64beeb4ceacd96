"""Tags are put together so that nothing undecided looks decided."""

from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.evidence.verdicts import absent, merged, not_assessable, present, tag_from, unclear, values_of

EVIDENCE = Evidence("m", 1.0, "1", "1.2", "rule", Verdict.NEUTRAL, "why")


def test_the_most_specific_supported_value_is_suggested() -> None:
    answers = present("calcification", "bright", "reader")
    answers["dense"] = (Verdict.SUPPORTS, "very bright")
    tag = tag_from("calcification", answers, [EVIDENCE])
    assert (tag.value, tag.verdict) == ("dense", Verdict.SUPPORTS)
    assert tag.verdict_on("none")[0] is Verdict.CONTRADICTS
    assert tag.verdict_on("gyriform")[0] is Verdict.NEUTRAL


def test_an_absent_finding_contradicts_every_kind_of_it() -> None:
    tag = tag_from("enhancement", absent("enhancement", "flat"), [EVIDENCE])
    assert tag.value == "none"
    assert {tag.verdict_on(v)[0] for v in values_of("enhancement") if v != "none"} == {Verdict.CONTRADICTS}


def test_without_measurement_no_value_is_suggested_and_each_carries_the_reason() -> None:
    tag = not_assessable("blooming", "ratio", "rule", "no SWI")
    assert tag.value is None
    assert tag.verdict is Verdict.NOT_ASSESSABLE
    assert all(tag.verdict_on(v) == (Verdict.NOT_ASSESSABLE, "no SWI") for v in values_of("blooming"))


def test_two_metrics_of_one_concept_complete_each_other() -> None:
    first = Tag("bone_change", None, Verdict.NEUTRAL, (EVIDENCE,), (("continuity", Verdict.CONTRADICTS, "gap"),))
    second = tag_from("bone_change", unclear("bone_change", "no mirror"), [EVIDENCE])
    (tag,) = merged([first, second])
    assert tag.verdict_on("continuity") == (Verdict.CONTRADICTS, "gap")
    assert tag.verdict_on("erosion")[0] is Verdict.NOT_ASSESSABLE
    assert len(tag.evidence) == 2


def test_metrics_that_disagree_decide_nothing() -> None:
    a = Tag("margin", "x", Verdict.SUPPORTS, (), (("smooth", Verdict.SUPPORTS, "one"),))
    b = Tag("margin", "x", Verdict.SUPPORTS, (), (("smooth", Verdict.CONTRADICTS, "two"),))
    (tag,) = merged([a, b])
    assert tag.verdict_on("smooth")[0] is Verdict.NOT_ASSESSABLE
    assert "disagree" in tag.verdict_on("smooth")[1]
    assert tag.value is None

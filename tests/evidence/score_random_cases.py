"""Scores tags and audited claims on random phantom cases against their truth; resumable, one line of JSON a case.

`python tests/evidence/score_random_cases.py --seeds 0-99 --out build/random-cases.jsonl` draws each case, works it up at
the lesion's place by the path that `neuraxis tag` and `neuraxis audit` take, writes what was said beside what is true,
deletes the study, and prints a table a concept. Cases already in the file are not done again; `--table` only prints.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Record = dict[str, Any]
UNRESOLVED_MM = 6.0
"""Below this size rim and solid enhancement must never be told apart (4 mm and 1 mm slices: sensitivity 0 to 0.12)."""
PATTERNS = ("rim", "homogeneous", "heterogeneous", "central")
DECIDED = {"supports": True, "contradicts": False}


def score_case(folder: Path, seed: int) -> Record:
    """What the program says of a written case, beside the statements that are true and false of it."""
    from neuraxis.app.workup import open_input, work_up
    from neuraxis.domain.legend import Claim
    from neuraxis.errors import NotMeasurableError
    from neuraxis.legends.audit import audit_claim

    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    x, y, z = truth["frames"]["CT"]["lesion_centroid_lps_mm"]
    record: Record = {"seed": seed, "lesion": truth["lesion"], "statements": truth["statements"], "rows": []}
    try:
        workup = work_up(open_input(folder), (x, y, z))
    except NotMeasurableError as error:
        record["rows"] = [
            [concept, value, holds, "not_assessable", *["cannot_be_decided"] * 2, error.found]
            for concept, statements in truth["statements"].items()
            for value, holds in statements.items()
        ]
        return {**record, "not_found": error.found}
    tags = {tag.concept: tag for tag in workup.tags}
    for concept, statements in truth["statements"].items():
        for value, holds in statements.items():
            tag = tags.get(concept)
            verdict, reason = (tag.verdict_on(value)[0].value, tag.verdict_on(value)[1]) if tag else ("absent", "")
            audited = [
                audit_claim(Claim(concept, value, negated=turned), tags, workup.lesion).verdict.value
                for turned in (False, True)
            ]
            record["rows"].append([concept, value, holds, verdict, *audited, reason])
    record["size"] = _sizes(workup.lesion, tags, truth)
    said = tags["enhancement"]
    absent = said.verdict_on("none")[0].value == "supports"
    record["unresolved"] = [] if absent else [v for v in PATTERNS if said.verdict_on(v)[0].value in DECIDED]
    record["notes"] = list(workup.notes)
    record["method"] = workup.lesion.mask.method
    return record


def _sizes(lesion: Any, tags: Mapping[str, Any], truth: Record) -> Record:
    from neuraxis.domain.legend import Claim
    from neuraxis.legends.audit import audit_claim

    diameters = truth["lesion"]["diameters_mm"]
    true_mm = round(max(diameters[:2]), 1)
    measured = lesion.measurement.long_axis
    claims = [audit_claim(Claim("size", "measured", size_mm=(s,)), tags, lesion).verdict.value for s in (true_mm, 3 * true_mm)]
    return {
        "true_mm": true_mm, "measured_mm": measured and measured.quantity.value,
        "uncertainty_mm": measured and measured.quantity.uncertainty, "claim": claims[0], "turned": claims[1],
    }


def run(seeds: Iterable[int], out: Path, seconds: float) -> None:
    """Draw and score each seed that the file does not hold yet, heads in turn, until the processor time is used up."""
    from neuraxis_phantom import write_case
    from neuraxis_phantom.anatomy import Anatomy, anatomy_seed

    done = {record["seed"] for record in read(out)}
    todo = sorted(set(seeds) - done, key=lambda s: (anatomy_seed("random", s), s))
    start = time.process_time()
    anatomy: Anatomy | None = None
    for seed in todo:
        if time.process_time() - start > seconds:
            print(f"{seconds:.0f} s of processor time used: the rest is left for the next run", file=sys.stderr)
            return
        if anatomy is None or anatomy.seed != anatomy_seed("random", seed):
            anatomy = None  # the old head's pictures go before the new ones come
            anatomy = Anatomy(anatomy_seed("random", seed), keep=True)
        folder = Path(tempfile.mkdtemp(prefix="neuraxis-random-"))
        try:
            began = time.process_time()
            write_case("random", folder, seed=seed, anatomy=anatomy)
            drawn = time.process_time()
            record = score_case(folder, seed)
            record["cpu_s"] = [round(drawn - began, 1), round(time.process_time() - drawn, 1)]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def read(path: Path) -> list[Record]:
    """The cases in a file of results; a last line cut short by an interruption is left out."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def _size(record: Record) -> float:
    return float(max(record["lesion"]["diameters_mm"]))


def _off_midline(record: Record) -> bool:
    return bool(record["statements"]["laterality"])


def _signal_from(smallest_mm: float) -> Callable[[Record, str, bool], bool]:
    return lambda record, _value, _holds: _size(record) >= smallest_mm


def _calcification(record: Record, value: str, _holds: bool) -> bool:
    bled = bool(record["statements"]["haemorrhage"].get("present"))  # dense blood below 100 HU is indeterminate
    return not bled and (value in ("none", "present", "dense") or _size(record) >= 8 * 0.45)


def _blooming(record: Record, value: str, _holds: bool) -> bool:
    return record["lesion"]["calcification"] in ("none", "dense") and value in ("none", "present", "marked")


def _enhancement(record: Record, value: str, _holds: bool) -> bool:
    if value in ("none", "present"):
        return record["lesion"]["calcification"] != "dense" or not record["statements"]["enhancement"].get("none")
    return value in ("rim", "homogeneous") and _size(record) >= UNRESOLVED_MM


def _bone(record: Record, value: str, _holds: bool) -> bool:
    if value == "continuity":
        gap = record["lesion"]["distance_to_bone_mm"]
        return gap is None or gap > 2.0
    return value in ("none", "present") and _off_midline(record)


DECIDABLE: Mapping[str, Callable[[Record, str, bool], bool]] = {
    "calcification": _calcification,
    "t1_signal": _signal_from(6.0),
    "t2_signal": _signal_from(6.0),
    "flair_signal": _signal_from(9.0),
    "blooming": _blooming,
    "haemorrhage": lambda r, _v, _h: r["lesion"]["calcification"] == "none" and not r["statements"]["haemorrhage"].get("present"),
    "enhancement": _enhancement,
    "perilesional_oedema": lambda *_: True,
    "mass_effect": lambda r, v, _h: r["lesion"]["compartment"] != "intra_axial" and _off_midline(r) and v in ("none", "present"),
    "laterality": lambda *_: True,
    "location": lambda _r, v, _h: v == "foramen_magnum",
    "bone_change": _bone,
    "margin": lambda r, _v, _h: _size(r) >= 10.0,
}
"""Which statements the measured limits of the method call decidable; concepts not named here: none."""


@dataclass
class Count:
    """Tally of one concept."""

    right: int = 0
    wrong: int = 0
    neutral: int = 0
    open: int = 0
    decidable: int = 0
    decided: int = 0
    audited_wrong: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, record: Record, row: list[Any], decidable: bool) -> None:
        """Count one statement; `row` is concept, value, holds, verdict, audit, audit turned round, reason."""
        concept, value, holds, verdict, audit, turned, reason = row
        decided = verdict in DECIDED
        right = decided and DECIDED[verdict] is holds
        self.right += right
        self.wrong += decided and not right
        self.neutral += verdict == "neutral"
        self.open += verdict not in (*DECIDED, "neutral")
        self.decidable += decidable
        self.decided += decidable and decided
        # "none" denied once more stays a denial: only other values are turned by `negated`.
        false_audit = audit == ("contradicted" if holds else "supported")
        false_audit |= value != "none" and turned == ("supported" if holds else "contradicted")
        self.audited_wrong += false_audit
        if (decided and not right) or false_audit:
            self.examples.append(f"seed {record['seed']}: {concept} {value} is {holds}, said {verdict}: {reason}")


def tally(records: Iterable[Record]) -> tuple[dict[str, Count], list[str]]:
    """Counts a concept, and the cases in which rim and solid were told apart below 6 mm."""
    counts: dict[str, Count] = defaultdict(Count)
    broken = []
    for record in records:
        for row in record["rows"]:
            rule = DECIDABLE.get(row[0])
            counts[row[0]].add(record, row, bool(rule and rule(record, row[1], row[2])))
        if "size" in record:
            claim, turned = record["size"]["claim"], record["size"]["turned"]
            size = ["size", "measured", True, {"supported": "supports", "contradicted": "contradicts"}.get(claim, "open")]
            counts["size"].add(record, [*size, claim, {"supported": "supported"}.get(turned, turned), str(record["size"])], True)
        if record.get("unresolved") and _size(record) < UNRESOLVED_MM:
            broken.append(f"seed {record['seed']}: {record['unresolved']} decided at {_size(record)} mm")
    return dict(counts), broken


def table(records: list[Record]) -> str:
    """The report, Markdown."""
    counts, broken = tally(records)
    lines = [
        f"{len(records)} cases", "",
        "| concept | right | wrong | neutral | not assessable | decided of the decidable | audit wrong |",
        "|---|---|---|---|---|---|---|",
    ]
    total = Count()
    for concept, c in sorted(counts.items()):
        for name in ("right", "wrong", "neutral", "open", "decidable", "decided", "audited_wrong"):
            setattr(total, name, getattr(total, name) + getattr(c, name))
        lines.append(_line(concept, c))
    lines += [_line("all", total), ""]
    decided = max(1, total.right + total.wrong)
    lines.append(f"wrong: {total.wrong} of {decided} decided ({100 * total.wrong / decided:.2f} %)")
    lines += [f"- {text}" for c in counts.values() for text in c.examples]
    lines += [f"- BROKEN {text}" for text in broken]
    lines += [f"- seed {r['seed']}: nothing measured at the point: {r['not_found']}" for r in records if "not_found" in r]
    return "\n".join(lines)


def _line(name: str, c: Count) -> str:
    share = f"{c.decided}/{c.decidable} = {100 * c.decided / c.decidable:.0f} %" if c.decidable else "none is"
    return f"| {name} | {c.right} | {c.wrong} | {c.neutral} | {c.open} | {share} | {c.audited_wrong} |"


def seeds_of(text: str) -> list[int]:
    """Seeds of "3", "0-9" or "3,7,20-29"."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run and print; 1 where more than one in a hundred decided statements is wrong or a rule is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=seeds_of, default=list(range(300)))
    parser.add_argument("--out", type=Path, default=Path("build/random-cases.jsonl"))
    parser.add_argument("--minutes", type=float, default=1e6, help="processor time after which no further case is begun")
    parser.add_argument("--table", action="store_true", help="only print the table of what is in the file")
    options = parser.parse_args(arguments)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if not options.table:
        run(options.seeds, options.out, 60 * options.minutes)
    records = [r for r in read(options.out) if r["seed"] in set(options.seeds)]
    print(table(records))
    counts, broken = tally(records)
    wrong, right = sum(c.wrong for c in counts.values()), sum(c.right for c in counts.values())
    return 1 if broken or wrong > 0.01 * (right + wrong) else 0


if __name__ == "__main__":
    sys.exit(main())

"""Coverage-guided fuzzing of the reader: `python tests/fuzz/fuzz_reader.py CORPUS -max_total_time=600` (needs atheris).

Every input is one file. Anything but a `Study` or a `NeuraxisError` is a find; time and memory are limited by libFuzzer
(-timeout=25 -rss_limit_mb=2560). Without atheris, `--dumb N` mutates the corpus N times with plain random edits.
"""

from __future__ import annotations

import contextlib
import importlib
import random
import sys
import tempfile
import time
from pathlib import Path


def one_input(data: bytes, folder: Path) -> None:
    """Read one file made of these bytes to the end: scan, then every series' voxels."""
    from neuraxis.dicom import open_study, scan_to_json
    from neuraxis.errors import NeuraxisError

    path = folder / "input.dcm"
    path.write_bytes(data)
    study = open_study(path)
    scan_to_json(study)
    report = study.report
    assert report.files_seen == 1 == report.files_loaded + len(report.set_apart) + len(report.skipped)
    for series in study.series:
        with contextlib.suppress(NeuraxisError):
            if series.is_volume:
                series.volume()
            else:
                series.source.read_picture(0)


def dumb(corpus: Path, count: int, seed: int = 0) -> None:
    """Random edits without coverage; prints what was done and how fast."""
    rng = random.Random(seed)
    seeds = [p.read_bytes() for p in sorted(corpus.rglob("*")) if p.is_file() and p.stat().st_size < 300_000]
    start, slowest = time.monotonic(), 0.0
    with tempfile.TemporaryDirectory() as name:
        for number in range(count):
            data = bytearray(rng.choice(seeds))
            for _ in range(rng.randint(1, 6)):
                at = rng.randrange(max(1, min(len(data), rng.choice([400, 2000, len(data)]))))
                data[at : at + rng.choice([0, 1, 2, 8])] = rng.randbytes(rng.choice([0, 1, 2, 4, 8]))
            began = time.monotonic()
            try:
                one_input(bytes(data), Path(name))
            except BaseException:
                find = Path(f"find-{seed}-{number}.dcm")
                find.write_bytes(data)
                print(f"find written to {find}", file=sys.stderr)
                raise
            slowest = max(slowest, time.monotonic() - began)
    print(f"{count} inputs in {time.monotonic() - start:.0f} s, slowest {slowest:.2f} s, no find")


def main() -> None:
    """Entry point for libFuzzer arguments, or `--dumb N CORPUS [SEED]`."""
    if sys.argv[1:2] == ["--dumb"]:
        dumb(Path(sys.argv[3]), int(sys.argv[2]), int(sys.argv[4]) if len(sys.argv) > 4 else 0)
        return
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["neuraxis.dicom"]):
        import neuraxis.dicom  # noqa: F401
    folder = Path(tempfile.mkdtemp())
    atheris.Setup(sys.argv, lambda data: one_input(data, folder))
    atheris.Fuzz()


if __name__ == "__main__":
    main()

"""Mutated DICOM against the reader: `python tests/fuzz/fuzz_reader.py --inputs 1000000 --seconds 600`.

Mutants are read in folders of many, as a user's folder would be: listing, headers, grouping, placing, and the voxels of what is
plain; compressed frames, which go to a process of their own, only in one folder of `--decode-every`. A find is anything but a
`Study` or a `NeuraxisError`, a file that is not accounted for, values that are not numbers, a folder that takes longer than 10 s,
or one that takes 1 GB of memory. With `--guided SECONDS` (needs atheris) libFuzzer chooses the mutations by coverage.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import random
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from fuzz_seeds import compressed_seeds, plain_seeds, real_seeds

BATCH = 48
LIMIT_SECONDS = 10.0
LIMIT_KILOBYTES = 1 << 20
MOST_FINDS = 20


def read_all(folder: Path, count: int, *, decode: bool) -> None:
    """Read a folder of `count` files to the end; AssertionError or any foreign exception is a find."""
    import numpy as np

    from neuraxis.dicom import open_study, scan_to_json
    from neuraxis.dicom.elements import UNDEFINED
    from neuraxis.dicom.series_source import SeriesSource
    from neuraxis.errors import NeuraxisError

    study = open_study(folder)
    scan_to_json(study)
    report = study.report
    assert report.files_seen == count == report.files_loaded + len(report.set_apart) + len(report.skipped), "files are not accounted for"
    assert all(s.reason for s in (*report.skipped, *report.set_apart)), "a file is left out without a reason"
    assert len({s.id for s in study.series}) == len(study.series), "two series have one id"
    for series in study.series:
        assert isinstance(series.source, SeriesSource)
        if not decode and any(f.pixel_length == UNDEFINED for f in series.source.frames):
            continue
        with contextlib.suppress(NeuraxisError):
            if not series.is_volume:
                series.source.read_picture(0)
                continue
            volume = series.volume()
            assert series.geometry is not None
            assert volume.array.shape == series.geometry.shape_zyx, "array and geometry differ in shape"
            assert np.isfinite(volume.array).all(), "values that are not numbers"
            assert np.isfinite(series.geometry.lps_from_index((0, 0, 0))).all(), "a place that is not a number"


def mutate(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """One to six edits, most in the header; now and then a piece of another file.

    In half of the files only digits change: numbers that stay numbers get past the parser, to grouping and placing.
    """
    out = bytearray(data)
    if rng.random() < 0.5:
        for _ in range(rng.choice((1, 1, 2, 3))):
            _replace_digit(rng, out, 132 + rng.randrange(max(1, len(out) - 132)))
        return bytes(out)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        at = 132 + rng.randrange(max(1, min(len(out), rng.choice((400, 1000, 1 << 20))) - 132)) if rng.random() < 0.95 else rng.randrange(132)
        kind = rng.randrange(8)
        if kind == 0:
            out[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            out[at : at + rng.choice((1, 2, 8, 40))] = b""
        elif kind == 3:
            out[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8)))
        elif kind == 4:
            width = rng.choice((1, 2, 4))
            out[at : at + width] = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\xfe\xff\x00\xe0"))[:width]
        elif kind == 5:
            start = rng.randrange(len(other))
            out[at : at + rng.choice((0, 8, 64))] = other[start : start + rng.choice((2, 8, 64))]
        elif kind == 6:
            texts = (b"-1", b"1e9", b"nan", b"inf", b"0", b"1\\1", b"\\", b"1e-320", b"-0.0", b"99999999", b"16", b"CT", b"MR", b"SQ", b"UN")
            text = rng.choice(texts)
            out[at : at + len(text)] = text
        elif rng.random() < 0.3:
            del out[at:]
    return bytes(out)


def _replace_digit(rng: random.Random, out: bytearray, at: int) -> None:
    """Change the next digit of a text."""
    for k in range(at, min(at + 200, len(out))):
        if 48 <= out[k] <= 57:
            out[k] = rng.choice(b"0123456789-.")
            return


def run(inputs: int, seconds: float, seed: int, corpus: Path | None, decode_every: int, finds_folder: Path) -> int:
    """Mutate and read until either bound is reached; prints what was done; returns the number of finds."""
    rng = random.Random(seed)
    seeds = plain_seeds()
    packed = compressed_seeds()
    if corpus is not None:
        seeds |= real_seeds(corpus)
    everything = [data for kind in (*seeds.values(), *packed.values()) for data in kind]
    start, done, finds, slowest, batches = time.monotonic(), 0, 0, 0.0, 0
    root = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=root) as name:
        while done < inputs and time.monotonic() - start < seconds and finds < MOST_FINDS:
            folder = Path(name) / "f"
            folder.mkdir()
            decode = batches % decode_every == 0
            pools = packed if decode or rng.random() < 0.1 else seeds
            kinds = rng.sample(sorted(pools), rng.choice((1, 1, 2)))
            files = [data for kind in kinds for data in pools[kind]]
            count = min(BATCH, inputs - done)
            for number in range(count):
                # the slices in turn, so that mutants of different slices meet in one series
                data = mutate(rng, files[number % len(files)], rng.choice(everything))
                (folder / f"{number:03d}").write_bytes(data)
            began, memory = time.monotonic(), _peak()
            reason = _judge(folder, count, decode)
            spent = time.monotonic() - began
            slowest = max(slowest, spent)
            if not reason and spent > LIMIT_SECONDS:
                reason = f"took {spent:.1f} s"
            if not reason and batches and _peak() - memory > LIMIT_KILOBYTES:
                reason = f"took {(_peak() - memory) / 1e6:.1f} GB"
            if reason:
                finds += 1
                kept = finds_folder / f"{seed}-{batches}"
                shutil.copytree(folder, kept, dirs_exist_ok=True)
                print(f"find in {kept}: {reason}", flush=True)
            shutil.rmtree(folder)
            done += count
            batches += 1
    took = time.monotonic() - start
    print(f"{done} inputs in {batches} folders in {took:.0f} s, slowest folder {slowest:.2f} s, peak memory {_peak() / 1e6:.2f} GB, {finds} finds")
    return finds


def _judge(folder: Path, count: int, decode: bool) -> str:
    import traceback

    try:
        read_all(folder, count, decode=decode)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
    return ""


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def guided(seconds: int, corpus: Path | None, finds_folder: Path) -> None:
    """Coverage-guided mutation of one file at a time; compressed frames are decoded for one input of 64."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["neuraxis.dicom"]):
        import neuraxis.dicom.series_building
        import neuraxis.dicom.study_reader  # noqa: F401
    work = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    seeds, folder = work / "corpus", work / "f"
    seeds.mkdir()
    folder.mkdir()
    pools = plain_seeds() | compressed_seeds() | (real_seeds(corpus, 12_000) if corpus else {})
    for number, (_, files) in enumerate(pools.items()):
        for k, data in enumerate(files[:3]):
            (seeds / f"{number}-{k}").write_bytes(data)

    def one(data: bytes) -> None:
        (folder / "input.dcm").write_bytes(data)
        read_all(folder, 1, decode=len(data) > 0 and sum(data[-8:]) % 64 == 0)

    arguments = [f"-max_total_time={seconds}", "-timeout=25", "-rss_limit_mb=2560", "-max_len=12000", f"-artifact_prefix={finds_folder}/"]
    atheris.Setup([sys.argv[0], *arguments, str(seeds)], one)
    atheris.Fuzz()


def main() -> None:
    """Parse the arguments and run; the exit code is 1 when there were finds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many mutants at most")
    parser.add_argument("--seconds", type=float, default=600, help="how long at most")
    parser.add_argument("--seed", type=int, default=0, help="of the random edits; the same seed gives the same mutants")
    parser.add_argument("--corpus", type=Path, help="a folder of DICOM files to mutate besides the built-in kinds")
    parser.add_argument("--decode-every", type=int, default=40, help="decode compressed frames in one folder of so many")
    parser.add_argument("--finds", type=Path, default=Path("build/fuzz"), help="where finds are kept")
    parser.add_argument("--guided", type=int, metavar="SECONDS", help="coverage-guided, by atheris")
    arguments = parser.parse_args()
    arguments.finds.mkdir(parents=True, exist_ok=True)
    if arguments.guided:
        guided(arguments.guided, arguments.corpus, arguments.finds.resolve())
        return
    found = run(arguments.inputs, arguments.seconds, arguments.seed, arguments.corpus, arguments.decode_every, arguments.finds)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()

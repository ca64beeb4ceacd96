"""`python -m neuraxis_phantom CASE DIR --seed N`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from neuraxis_phantom.study import case_names, write_case


def main(arguments: list[str] | None = None) -> int:
    """Write one case; 0 done, 1 could not, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="neuraxis_phantom", description="Write a synthetic head study as DICOM.")
    parser.add_argument("case", choices=case_names())
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    def tell(fraction: float, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{fraction:4.0%} {text:<24}", end="" if fraction < 1 else "\n", file=sys.stderr)

    try:
        write_case(options.case, options.directory, seed=options.seed, progress=tell)
    except OSError as error:
        print(f"could not write {options.directory}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

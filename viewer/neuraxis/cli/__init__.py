"""The command line: parses arguments, shows progress, prints results; the work is done in `neuraxis.app`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# each adds its commands, in the order in which --help lists them
# isort: off
from neuraxis.cli import samples, series, lesions, legends, figures, deidentification, archive, benchmarks  # noqa: F401

# isort: on
from neuraxis.cli.shared import app
from neuraxis.errors import NeuraxisError

__all__ = ["app", "main"]


def main(arguments: list[str] | None = None) -> None:
    """Run `neuraxis`; exit code 0 done, 1 could not (one message on standard error), 2 wrong usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments or bool(os.environ.get("NEURAXIS_DEBUG"))
    try:
        app(args=[a for a in _glue_negative(arguments) if a != "--debug"])
    except NeuraxisError as error:
        if debug:
            raise
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("stopped.")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if debug:
            raise
        name = Path(str(error.filename)).name if error.filename else "input or output"
        _fail(f"{name}: {error.strerror or error}.")
    except Exception as error:  # the last wall: no traceback reaches a user
        if debug:
            raise
        _fail(f"internal error ({type(error).__name__}); run again with --debug and report what it prints.")


def _fail(message: str) -> None:
    print(f"neuraxis: {message}", file=sys.stderr)
    sys.exit(1)


def _glue_negative(arguments: list[str]) -> list[str]:
    # `--at -14.2,22.5,3` starts like an option; glued it cannot be mistaken for one
    glued: list[str] = []
    for argument in arguments:
        if glued and glued[-1] == "--at":
            glued[-1] = f"--at={argument}"
        else:
            glued.append(argument)
    return glued

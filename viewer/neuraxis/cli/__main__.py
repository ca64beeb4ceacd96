"""`python -m neuraxis.cli` is `neuraxis`."""

from neuraxis.cli import main

main()

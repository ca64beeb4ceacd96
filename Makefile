# Two commands do everything: `make demo` and `make test`. Both set up what they need first.
VENV := .venv
PY := $(VENV)/bin/python
SHELL := /bin/bash
# Both Qt bindings are installed for the tests; everyday runs take the one that users get.
QT_API ?= pyside6
export QT_API
export PYTEST_QT_API = $(QT_API)

.PHONY: help setup setup-test demo test test-gui lint types contracts check gallery docs fuzz studies random-cases bench lock clean

help:            ## what there is
	@grep -E '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 14

setup:           ## .venv with hash-locked dependencies, and GUI system libraries where they are missing and may be installed
	@tools/setup

setup-test:
	@tools/setup --test

demo: setup      ## write the CAPNON sample, run the whole path on it, results in demo-out/
	@$(VENV)/bin/neuraxis demo --out demo-out

test: setup-test ## all tests, with a window under Xvfb where there is no display
	@tools/with-display $(PY) -m pytest -n 2 --dist loadfile $(ARGS)

test-gui: setup-test  ## the tests of the window alone, e.g. with QT_API=pyqt6
	@tools/with-display $(PY) -m pytest tests/app tests/ui tests/desktop tests/plugin $(ARGS)

lint: setup      ## ruff
	@$(VENV)/bin/ruff check .

types: setup     ## mypy --strict over sources and tests
	@$(VENV)/bin/mypy

contracts: setup ## import contracts and the napari manifest
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/npe2 validate plugins/napari_neuraxis/napari.yaml

check: lint types contracts test  ## what CI runs

PICTURES := 04_lesion_in_all_series 05_tags_and_evidence 08_swi_minip 10_fusion_of_ct_and_t1c 13_napari_canvas
gallery: setup-test  ## drive the window like a user; the README's pictures go to docs/images, all of them stay in build/gallery
	@tools/with-display $(PY) -m neuraxis.desktop.gallery build/gallery
	@$(VENV)/bin/neuraxis demo --out build/gallery --no-show
	@mkdir -p docs/images && cp build/gallery/figure.png build/gallery/figure2.png $(PICTURES:%=build/gallery/%.png) docs/images/

docs: setup      ## rebuild the manual page of the evidence from the metrics' own descriptions
	@$(PY) -c 'from neuraxis.evidence import describe_all; print(describe_all(), end="")' > docs/evidence.md

fuzz: setup      ## mutated DICOM against the reader (ARGS="--help" tells how much and how)
	@$(PY) tests/fuzz/fuzz_reader.py $(ARGS)

studies: setup-test ## long robustness runs: 1,000 kills while editing, disks that fill up, 10,000 random events
	@tools/with-display $(PY) tests/ui/monkey.py --events 10000
	@$(PY) tests/case/kill_study.py --kills 1000
	@$(PY) tests/case/disk_study.py --points 50

random-cases: setup ## score tags and audits on random phantom cases (ARGS="--seeds 3000-3299 --minutes 60"; 300 take hours)
	@$(PY) tests/evidence/score_random_cases.py $(ARGS)

bench: setup     ## speed beside what a user would otherwise pick
	@$(VENV)/bin/neuraxis bench

lock:            ## resolve the dependencies anew (names no index)
	@$(VENV)/bin/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header --upgrade \
	  --python-version 3.11 -o requirements/lock.txt -q

clean:           ## remove what builds and tests leave
	@rm -rf build dist demo-out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# The same commands for people and for CI. Everything is installed into .venv, at the versions of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test test-long trust mutants oldest newest check results bench clean

run: .venv/kernel        # the main job on the embedded digits: table, verdicts, figure
	$(BIN)/tlbench run caltech-multisource --dataset digits
	@echo 'Next: source .venv/bin/activate, then: tlbench list'

test: .venv/all          # every test but the slow ones
	$(BIN)/python -m pytest -n auto -m "not slow"

test-long: .venv/all     # the slow ones: interruptions at many moments, full disks
	$(BIN)/python -m pytest -n auto -m slow

trust: .venv/all         # every fault that is tested, many interruptions, new draws; the table in docs/promises.md
	TLBENCH_MOMENTS=204 $(BIN)/python -m pytest -n auto -m "fault or hypothesis" --hypothesis-profile=anew \
		--fault-table=docs/promises.md tests

mutants: .venv/all       # how many of 400 small changes to the core the tests find; tests/mutants.csv
	$(INSTALL) --editable '.[mutation]'
	$(BIN)/python -m tests.mutants

TESTS ?= tests
oldest: .venv/oldest/all # the fast tests with the lowest versions that pyproject.toml allows; TESTS=those to run
	.venv/oldest/bin/python -m pytest -n auto -m "not slow" -W default $(TESTS)

newest: .venv/all        # the same with the newest that there are, warnings being errors as everywhere
	$(PYTHON) -m venv .venv/newest
	$(BIN)/uv pip install --quiet --upgrade --python .venv/newest/bin/python --editable '.[dev]'
	.venv/newest/bin/python -m pytest -n auto -m "not slow" $(TESTS)

check: .venv/all         # format, lint, types, layering
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

results: .venv/all       # the committed results on embedded data and the README's table, computed again
	for name in caltech-multisource caltech-baselines increasing-sources; do \
		$(BIN)/tlbench run $$name --dataset digits --fresh || exit 1; done
	$(BIN)/tlbench run yosinski-layers --dataset digits --fresh
	$(BIN)/python docs/readme_table.py
	$(BIN)/python docs/layer_tables.py

bench: .venv/all         # speed and memory as ratios, written to benchmarks/results.csv; PICTURES=folder with train/, test/
	$(BIN)/python -m benchmarks $(if $(PICTURES),--pictures $(PICTURES))

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/kernel: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("tlbench needs Python 3.11 or newer; try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo 'Installing into .venv, which takes a minute or two …'
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	@touch $@

.venv/all: .venv/kernel
	$(INSTALL) --editable '.[dev]'
	@touch $@

.venv/oldest/all: .venv/all
	$(PYTHON) -m venv .venv/oldest
	$(BIN)/uv pip install --quiet --resolution lowest-direct --python .venv/oldest/bin/python --editable '.[dev]'
	@touch $@

# Set-up is part of every target: a fresh clone needs `make run` or `make test` and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.core
FULL := $(VENV)/.full
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The build for CPUs: what sentence-transformers would take by itself comes with gigabytes for graphics cards.
TORCH := torch==2.13.0
BENCH := $(BIN)/python -m pytest tests/performance -o python_files='bench_*.py' --benchmark-quiet
COVERAGE := build/coverage.json
# Slipcover, because coverage.py's tracer makes the tests half as long again on Python 3.11. It says of the newest pytest
# that it cannot measure the tests themselves, which nobody asks it to.
MEASURED := $(BIN)/python -W "ignore:Unable to activate pytest branch:RuntimeWarning" \
	-m slipcover --branch --source socrates --json --out $(COVERAGE)
SOAK_MINUTES ?= 10
PEERS := .venv-peers
PEERS_FULL := $(PEERS)/.full
BENCH_PEERS := $(BIN)/python -m tests.performance.peers.run --peers $(PEERS)/bin/python
SAMPLE := tests/support/v1_samples/nine-tables.db

# Where it is set, every process that a test starts compiles what it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install run test test-long dialect-suite bench bench-large bench-quick bench-peers bench-peers-quick
.PHONY: soak baseline lint format clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

install: $(FULL) ## Make .venv with everything

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(CORE): pyproject.toml | $(VENV)/bin/python
	$(PIP) -e .
	@touch $@

$(FULL): pyproject.toml | $(VENV)/bin/python
	$(PIP) $(TORCH) -e '.[dev]'
	@touch $(CORE) $@

run: $(CORE) ## Upgrade a database that v1 wrote, check it, and walk through it
	@rm -rf build/run && mkdir -p build/run
	@cp $(SAMPLE) build/run/projects.db && chmod u+w build/run/projects.db
	$(BIN)/alembic -x url=build/run/projects.db -x v1_timezone=UTC upgrade head
	$(BIN)/socrates db check build/run/projects.db
	$(BIN)/socrates db show build/run/projects.db
	$(BIN)/socrates tour ibex build/run/projects.db

test: $(FULL) ## Run all tests, and tell how much of the code they reach
	@mkdir -p build
	$(MEASURED) -m pytest -n 3
	$(BIN)/python -m tests.coverage $(COVERAGE) --at-least 90

test-long: $(FULL) ## The same campaigns with larger numbers
	SOCRATES_LONG=1 $(BIN)/python -m pytest -n 2 -m ""

dialect-suite: $(FULL) ## SQLAlchemy's own dialect suite on our SQLite driver and the stock one, on 2.0 and 2.1
	$(BIN)/python -m tests.dialect.compare

bench: $(FULL) ## Measure beside v1; writes build/bench/report.json and a page, report.html
	$(BENCH)

bench-large: $(FULL) ## Growth to 1,000,000 projects on both engines; takes some GB of disk
	$(BENCH) --large --bench-report=build/bench/large.json -k test_growth

bench-quick: $(FULL) ## Only see that the bench runs
	$(BENCH) --quick --bench-report=build/bench/quick.json

soak: $(FULL) ## Fifty people at work for SOAK_MINUTES (10), and what grows meanwhile; writes build/bench/soak.json
	$(BIN)/python -m tests.load.soak --minutes $(SOAK_MINUTES)

# Apart from ours, whose versions the peers' packages must not decide.
$(PEERS_FULL): tests/performance/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

bench-peers: $(FULL) $(PEERS_FULL) ## The same conversation work by ours and by what one would take instead
	$(BENCH_PEERS)

bench-peers-quick: $(FULL) $(PEERS_FULL) ## Only see that it runs
	$(BENCH_PEERS) --quick --report build/bench/peers-quick.json

baseline: $(FULL) ## Show how the regression scenarios differ from their baseline; WRITE=--write takes that over
	$(BIN)/python -m tests.regression.record $(WRITE)

lint: $(FULL) ## Lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(FULL) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove what the targets above made
	rm -rf build dist $(VENV) $(PEERS) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .benchmarks

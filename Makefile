# make run   the environment (once), then the app
# make test  the environment (once), then every test
PYTHON ?= python3
BIN := .venv/bin
.PHONY: env run test together alone fast lint bench

env: .venv/ready

.venv/ready: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check --no-compile -r requirements-dev.txt
	@# by all cores, where pip would take one; some packages bring templates that are no Python
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib || true
	touch $@

run: env
	$(BIN)/python -m lab serve

# tests side by side, two processes as of two cores, and the linters beside them; then what needs the machine to itself
test: env
	$(MAKE) --no-print-directory --jobs 2 lint together
	$(MAKE) --no-print-directory alone

WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest --durations 30 --durations-min 1
SPREAD := --numprocesses $(WORKERS) --no-loadscope-reorder

# a process a core, and one thread a process: libraries that spin for each other's cores take ten times as long
together fast: export OMP_NUM_THREADS := 1
together fast: export OPENBLAS_NUM_THREADS := 1
# tests and libraries are compiled once, not by each process
unexport PYTHONDONTWRITEBYTECODE

together: env
	$(PYTEST) $(SPREAD) -m "not alone and not benchmark"

alone: env
	$(PYTEST) -m "alone and not benchmark"

fast: env
	$(PYTEST) $(SPREAD) -m "not slow and not browser and not postgres and not alone and not benchmark"

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: env
	$(BIN)/python -m pytest -m benchmark -s tests/benchmarks

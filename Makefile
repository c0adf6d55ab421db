# make run   the environment (once), then the app
# make test  the environment (once), then every test
PYTHON ?= python3
BIN := .venv/bin
.PHONY: env run test fast halves lint bench

env: .venv/ready

.venv/ready: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

run: env
	$(BIN)/python -m lab serve

test: env lint
	$(MAKE) --no-print-directory halves
	$(BIN)/python -m pytest -m "slow or browser or postgres" tests/browser tests/system tests/pages tests/unit/store

SWEEPING := tests/contract/test_sample_models.py
# two halves at once, since each of these tests keeps one core busy; the log of the first is shown after the second's
halves: env
	@log=$$(mktemp); $(BIN)/python -m pytest -m slow $(SWEEPING) >$$log 2>&1 & first=$$!; second=0; \
	$(BIN)/python -m pytest -m "not slow and not browser and not postgres and not benchmark" || second=1; \
	$(BIN)/python -m pytest -m slow tests/unit tests/contract --ignore=tests/unit/store $(SWEEPING:%=--ignore=%) || second=1; \
	wait $$first; first=$$?; cat $$log; rm -f $$log; exit $$((first + second))

fast: env
	$(BIN)/python -m pytest -m "not slow and not browser and not postgres and not benchmark"

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: env
	$(BIN)/python -m pytest -m benchmark -s tests/benchmarks

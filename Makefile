# make run   the environment (once), then the app
# make test  the environment (once), then every test
PYTHON ?= python3
BIN := .venv/bin
.PHONY: env run test fast lint bench docs

env: .venv/ready

.venv/ready: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

run: env
	$(BIN)/python -m lab serve

test: env lint
	$(BIN)/python -m pytest -m "not slow and not browser and not postgres and not benchmark"
	$(BIN)/python -m pytest -m "slow or browser or postgres" 

fast: env
	$(BIN)/python -m pytest -m "not slow and not browser and not postgres and not benchmark"

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: env
	$(BIN)/python -m pytest -m benchmark -s tests/benchmarks

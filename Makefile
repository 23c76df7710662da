# One command each for a newcomer: `make demo`, `make test`. Both set up by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PHOTOS ?=

.PHONY: setup demo test test-all lint format clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench,c2pa,cluster,postgres,serve,threatexchange,train,dev]'
	touch $@

demo: $(READY)  ## release, edit and find pictures; PHOTOS=folder for your own
	rm -rf demo-report
	$(BIN)/homing demo --out demo-report $(if $(PHOTOS),--photos '$(PHOTOS)')

test: $(READY)  ## everything that is quick
	$(BIN)/python -m pytest -m 'not slow' --numprocesses logical --maxprocesses 4 --dist loadfile

test-all: $(READY)  ## the slow ones as well
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo-report .mypy_cache .pytest_cache .ruff_cache

# One command each for a newcomer: `make demo`, `make test`, `make docs`. All set up by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LIGHT := $(VENV)/.ready-demo
TORCH := https://download.pytorch.org/whl/cpu
PHOTOS ?=

.PHONY: setup demo docs test test-all lint format schema clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench,c2pa,cluster,docs,heic,postgres,serve,threatexchange,train,dev]'
	touch $@ $(LIGHT)

# Only what the demonstration needs, with PyTorch without its libraries for graphics cards where that is
# to be had; `make TORCH= demo` takes the one of the package index.
$(LIGHT): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH),-$(BIN)/python -m pip install --quiet --no-compile --retries 1 --constraint constraints.txt --index-url $(TORCH) torch)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable .
	touch $@

demo: $(LIGHT)  ## release, edit and find pictures; PHOTOS=folder for your own
	rm -rf demo-report
	$(BIN)/homing demo --out demo-report $(if $(PHOTOS),--photos '$(PHOTOS)')

test: $(READY)  ## everything that is quick
	$(BIN)/python -m pytest -m 'not slow' --numprocesses logical --maxprocesses 4 --dist loadfile

test-all: $(READY)  ## the slow ones as well
	$(BIN)/python -m pytest

docs: $(READY)  ## the documentation site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: $(READY)  ## write what was added to the description of the HTTP API
	$(BIN)/python -m tests.helpers.openapi

clean:
	rm -rf $(VENV) demo-report site .mypy_cache .pytest_cache .ruff_cache

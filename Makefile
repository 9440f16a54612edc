# The commands of Airloom. Everything is made when it is needed: `make demo` works on a bare machine with Python 3.11.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: setup demo down test test-all test-install check bench lock help

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# Written last, with the digest of what was installed: a half-made environment has none.
STAMP := $(VENV)/.airloom-installed

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## the environment in .venv, from the lock

demo: $(STAMP) ## embedded Airflow and every stage over real days; stays up until `make down`
	@$(BIN)/airloom demo

down: ## stop Airflow and MLflow; data and history stay
	@if [ -x $(BIN)/airloom ]; then $(BIN)/airloom down; else echo "Nothing is installed, so nothing runs."; fi

# One process more than processors: whole installations, which wait much, run beside everything else.
PYTEST := $(BIN)/pytest --numprocesses=$$(( $$(nproc) + 1 )) --maxprocesses=5 --no-loadscope-reorder --durations=25

test: $(STAMP) ## the test suite, each long proof in its short form
	$(PYTEST) -m "not long and not install"

test-all: $(STAMP) ## the whole test suite, every proof in its long form too
	$(PYTEST) -m "not install"

test-install: $(STAMP) ## the tests that make environments of their own
	$(BIN)/pytest -m install

check: $(STAMP) ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) ## the side-by-side measurements, as tables
	$(BIN)/python -m bench

# A wheel's build label (torch's +cpu) is no part of the lock: any build of that version will do.
lock: $(STAMP) ## compile requirements.in into requirements.txt
	$(BIN)/pip-compile --quiet --strip-extras --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --no-emit-options --unsafe-package pip --output-file requirements.txt requirements.in
	sed -i -e '/^#/d' -e '/^$$/d' -e 's/+cpu$$//' -e '1i # Compiled from requirements.in by `make lock`.' requirements.txt

$(STAMP): requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Airloom needs Python 3.11, and there is no $(PYTHON) here." >&2; \
	  echo "Install it, or name it: PYTHON=/path/to/python3.11 make setup" >&2; exit 5; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "Airloom needs Python 3.11; $(PYTHON) is $$($(PYTHON) --version)." >&2; \
	  echo "Name another one: PYTHON=/path/to/python3.11 make setup" >&2; exit 5; }
	@rm -f $(STAMP)
	@if [ -d $(VENV) ] && ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  echo "$(VENV) is only half made; making it again."; rm -rf $(VENV); fi
	@[ -d $(VENV) ] || $(PYTHON) -m venv $(VENV)
	@echo "Installing $$(grep -c '==' requirements.txt) packages into $(VENV); this takes some minutes the first time."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	@# Some packages hold files for other Pythons, which do not compile with this one.
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(STAMP)

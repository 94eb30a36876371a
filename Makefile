# Footfall: `make demo` fills a warehouse, `make test` tests everything. Python 3.11+ and make are all it needs.

VENV      := .venv
BIN       := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOP   := $(VENV)/.develop
PIP       := $(BIN)/python -m pip install --disable-pip-version-check --no-deps

.DEFAULT_GOAL := help
.PHONY: help demo test install develop lint up
.SILENT:

help:
	echo "make demo      install, then load, build, check and publish the bundled sample"
	echo "make up        install, then run the local warehouse and the Dagster UI until Ctrl-C"
	echo "make test      install, lint, then the whole test suite"
	echo "make lint      ruff, mypy and sqlfluff"
	echo "make install   make $(VENV) with the pinned requirements"
	echo "make develop   the same, with what tests and linters need"

demo: install
	$(BIN)/footfall demo

up: install
	$(BIN)/footfall up

test: develop lint
	echo "Tests: pytest"
	$(BIN)/python -m pytest -q

lint: develop
	echo "Lint: ruff, mypy, sqlfluff"
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet . || { echo "Some files are not formatted; $(BIN)/ruff format puts them right."; exit 1; }
	$(BIN)/mypy --no-error-summary
	$(BIN)/sqlfluff lint --disable-progress-bar --processes 2 dbt_project

install: $(INSTALLED)

develop: $(DEVELOP)

# The stamp makes a second call immediate; it is older than the lock as soon as a requirement changes.
$(INSTALLED): requirements.txt pyproject.toml
	set -eu; \
	python=""; \
	for candidate in python3.11 python3.12 python3.13 python3 python; do \
		if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; then \
			python=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Footfall needs Python 3.11, 3.12 or 3.13, with its venv module, on the PATH, and found none." >&2; \
		echo "Install one (on Debian and Ubuntu: python3 and python3-venv) and run make again." >&2; \
		exit 1; \
	fi; \
	if ! [ -x $(BIN)/python ] || ! $(BIN)/python -c '' >/dev/null 2>&1; then \
		echo "Making $(VENV) with $$("$$python" --version)"; \
		"$$python" -m venv --clear $(VENV); \
	fi
	echo "Installing the pinned requirements (some minutes the first time)"
	$(PIP) --requirement requirements.txt
	$(PIP) --quiet --no-build-isolation --editable .
	touch $(INSTALLED)

$(DEVELOP): $(INSTALLED) requirements-dev.txt
	echo "Installing what tests and linters need"
	$(PIP) --requirement requirements-dev.txt
	touch $(DEVELOP)

# Everything a newcomer or a build machine types. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ARGS   ?=

# As root, or through sudo; where there is no apt, the person is told what to install.
APT_INSTALL = install() { \
    command -v apt-get >/dev/null || { echo "Please install Python 3.11 or newer with venv and pip." >&2; exit 1; }; \
    as_root=""; [ "$$(id -u)" = 0 ] || as_root="sudo"; \
    $$as_root apt-get update -qq; \
    $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$@" >/dev/null; \
  }; install

LOCK_OPTIONS := --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

.PHONY: help setup demo lab rules test check format manifests bench lock pictures clean

help:  ## print this list
	@echo "orphaned-inference: what AI inference cost that nobody waited for"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-16s %s\n' "$$name" "$$text"; done
	@echo
	@echo "Options for the command behind a target go into ARGS:  make test ARGS='-k config'   make demo ARGS=--exit"

setup: $(STAMP)  ## install everything into .venv (the other targets do it by themselves)

demo: $(STAMP)  ## a day of real traffic shapes through the real pipeline: prints the money found, then serves it
	@$(BIN)/orphaned demo $(ARGS)

lab: $(STAMP)  ## a real client, a real nginx and a backend that runs on: watch a call being left, and its money found
	@$(BIN)/python -m tests.lab $(ARGS)

rules: $(STAMP)  ## render rules/values.yaml (budgets, thresholds) into rules/recording.yaml and rules/alerts.yaml
	@$(BIN)/python -m rules.build

test: $(STAMP)  ## run the tests
	@$(BIN)/pytest $(ARGS)

check: $(STAMP)  ## lint (ruff), types (mypy), layers (import-linter)
	@failed=""; \
	for tool in "ruff check" "ruff format --check" mypy lint-imports; do \
	  echo "-- $$tool"; $(BIN)/$$tool || failed="$$failed [$$tool]"; \
	done; \
	[ -z "$$failed" ] || { echo "make check: not clean:$$failed" >&2; exit 1; }

format: $(STAMP)  ## let ruff mend and lay out what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

manifests: $(STAMP)  ## write what deploy/ makes out of rules and dashboards
	@$(BIN)/python deploy/build.py

bench: $(STAMP)  ## measure speed against pandas and DuckDB's bare load
	@$(BIN)/python benchmarks/run.py $(ARGS)

lock: $(STAMP)  ## resolve the dependencies again (requirements*.lock)
	@CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile $(LOCK_OPTIONS) -o requirements.lock pyproject.toml
	@CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile $(LOCK_OPTIONS) --extra test --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
	@CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile $(LOCK_OPTIONS) --only-build-deps --all-build-deps -c requirements-dev.lock -o requirements-build.lock pyproject.toml

pictures: $(STAMP)  ## draw the dashboards' pictures anew (node, npm, chromium; some ten minutes)
	@$(BIN)/python -m tests.dashboard_viewer

clean:  ## remove .venv and what the tools leave behind
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# The stamp is newer than the lock only when the whole installation went well, so a second call costs nothing.
$(STAMP): requirements-dev.lock pyproject.toml client/pyproject.toml
	@command -v $(PYTHON) >/dev/null || { $(APT_INSTALL) python3 python3-venv python3-pip; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "orphaned-inference needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name a newer one:  make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python's venv or pip is missing; installing it with apt." >&2; $(APT_INSTALL) python3-venv python3-pip; }
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(BIN)/python -m pip install --disable-pip-version-check -qq --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --disable-pip-version-check -qq --no-deps --no-build-isolation --editable . --editable client
	@PATH="$$PATH:/usr/sbin:/sbin" ldconfig -p 2>/dev/null | grep -q libpangoft2 || { \
	  echo "The report's PDF wants Pango; installing it with apt."; \
	  command -v apt-get >/dev/null && ( $(APT_INSTALL) libpango-1.0-0 libpangoft2-1.0-0 ) || \
	    echo "Without Pango there is no PDF; everything else works. Later: libpango-1.0-0 libpangoft2-1.0-0" >&2; }
	@touch $@

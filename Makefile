# `make` sets everything up and starts the demo; `make help` lists the rest.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
# pydes is source only, and its build must see the pinned setuptools instead of fetching another one.
LOCKED := --require-hashes --no-build-isolation
# Only what exists: a linter refuses a folder that is not there.
CODE   := $(wildcard kiosk web tests)
UV_VERSION := 0.13.9
UV     ?= $(shell command -v uv || echo var/lock/bin/uv)
# `make lock UPGRADE=--upgrade` moves every pin to its newest version; without it pins stay unless they must move.
UPGRADE ?=
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)
# Three workers for two cores: most of what tests do is wait. Whoever is done takes over from the others.
PYTEST := $(BIN)/python -m pytest
TESTS  ?= -n 3 --dist worksteal

.DEFAULT_GOAL := demo
.PHONY: help demo setup setup-test test lint bench soak lock messages clean
.DELETE_ON_ERROR:

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## Set everything up and start the demo (the default)
	$(BIN)/kiosk demo

setup: $(VENV)/.stamp-runtime $(VENV)/.stamp-messages ## Create .venv with what the cabinet needs

setup-test: setup $(VENV)/.stamp-test ## Add to .venv what the tests need

test: setup-test lint ## Install what the tests need, check the code, run every test
	tests/install-services
	$(PYTEST) $(TESTS)

lint: setup-test ## Check style, types and which way the imports run
	$(BIN)/ruff check $(CODE) docs/examples
	$(BIN)/ruff format --check $(CODE) docs/examples
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports

bench: setup-test ## Measure: figures for the README, no verdict
	$(BIN)/python -m tests.bench

soak: setup-test ## Hours of taps, cuts and restarts
	tests/install-services
	$(PYTEST) -m soak --timeout 0

messages: setup ## Compile the catalogues of texts anew after an edit
	$(BIN)/pybabel compile -d web/translations

lock: $(if $(filter var/lock/bin/uv,$(UV)),var/lock/bin/uv) ## Resolve the dependencies anew into the requirements files
	$(COMPILE) pyproject.toml --extra demo --extra test -o requirements-test.txt
	$(COMPILE) pyproject.toml --extra demo -c requirements-test.txt -o requirements.txt
	printf 'setuptools\nwheel\n' | $(COMPILE) - -c requirements-test.txt -o requirements-build.txt

clean: ## Remove what was made here: .venv, caches, compiled catalogues (not the demo's data)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name '*.mo' -path '*/LC_MESSAGES/*' -delete

# What follows is made once and again only when what it comes from has changed.

$(VENV)/.stamp-venv:
	@command -v $(PYTHON) >/dev/null || { echo 'Python is missing. Install it: sudo apt install python3 python3-venv'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo 'Python 3.11, 3.12 or 3.13 is needed; choose one: make PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo 'This Python cannot make environments. Install what is missing: sudo apt install python3-venv'; exit 1; }
	@echo 'Creating $(VENV) ...'
	@# On a Raspberry Pi the pin driver is Debian's python3-lgpio, which an isolated environment would not see.
	@if $(PYTHON) -c 'import lgpio' 2>/dev/null; then $(PYTHON) -m venv --system-site-packages $(VENV); \
		else $(PYTHON) -m venv $(VENV); fi
	@touch $@

$(VENV)/.stamp-runtime: $(VENV)/.stamp-venv requirements-build.txt requirements.txt pyproject.toml
	@echo 'Installing the locked packages ...'
	@$(PIP) install --require-hashes --only-binary :all: -r requirements-build.txt
	@$(PIP) install $(LOCKED) -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-runtime requirements-test.txt
	@echo 'Installing the locked packages of the tests ...'
	@$(PIP) install $(LOCKED) -r requirements-test.txt
	@touch $@

# Compiled catalogues are not kept in git, so a checkout makes its own.
$(VENV)/.stamp-messages: $(VENV)/.stamp-runtime $(wildcard web/translations/*/LC_MESSAGES/*.po)
	@if ls web/translations/*/LC_MESSAGES/*.po >/dev/null 2>&1; then $(BIN)/pybabel --quiet compile -d web/translations; fi
	@touch $@

var/lock/bin/uv:
	@$(PYTHON) -m venv var/lock
	@var/lock/bin/python -m pip --disable-pip-version-check --quiet install uv==$(UV_VERSION)

# Two commands on a fresh machine: `make run` shows what this does, `make test` proves it.

.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PACKAGES := $(wildcard packages/*)
# Half of the tests' time is spent waiting for servers, agents and containers: more workers than cores are quicker.
export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(if $(PYTHON),$(shell $(PYTHON) -c 'import os; print(max(2, (os.cpu_count() or 1) * 3 // 2))'),2)
INSPECTOR := packages/sandbox-agent-inspector
EDITABLE := $(foreach package,$(PACKAGES),-e $(package))

.PHONY: help
help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## Create .venv and install everything into it

$(READY): requirements-dev.txt VERSION $(wildcard packages/*/pyproject.toml)
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed. Install it, or say: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "== setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python $(EDITABLE) -r requirements-dev.txt
	@touch $@

.PHONY: inspector
inspector: $(READY) ## Build the Inspector, when its sources have changed; needs Node.js
	@$(BIN)/python $(INSPECTOR)/web_build.py

# For what works without it, where there is no Node.js.
.PHONY: inspector-if-possible
inspector-if-possible: $(READY)
	@$(BIN)/python $(INSPECTOR)/web_build.py --if-possible

.PHONY: run
run: $(READY) inspector-if-possible ## Start a sandbox and run a session of the mock agent in front of you
	@$(BIN)/python scripts/demo.py

.PHONY: test
test: $(READY) agents inspector-if-possible ## All tests, with the real agent programs where npm is there
	$(BIN)/python -m pytest -n auto --dist loadgroup

.PHONY: agents
agents: $(READY)
	@$(BIN)/python scripts/install_test_agents.py

.PHONY: agents-newest
agents-newest: $(READY) agents ## The newest of each agent beside the pinned: what drifted (ARGS="codex --workers 4")
	@$(BIN)/python scripts/agents_newest.py $(ARGS)

.PHONY: providers-newest
providers-newest: $(READY) ## The newest SDK of each provider beside the one here: what drifted (ARGS="e2b --lowest")
	@$(BIN)/python scripts/providers_newest.py $(ARGS)

.PHONY: lint
lint: $(READY) ## Formatting, style, types, who imports whom, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy packages/*/src examples
	$(BIN)/python scripts/unasync.py --check
	$(BIN)/python scripts/gen_docs.py --check
	$(BIN)/python scripts/gen_metadata.py --check
	$(BIN)/python scripts/gen_typescript.py --check
	$(BIN)/python $(INSPECTOR)/web_build.py --check

.PHONY: fmt
fmt: $(READY) ## Format, and write the generated files again
	$(BIN)/python scripts/unasync.py
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python scripts/gen_docs.py
	$(BIN)/python scripts/gen_metadata.py
	$(BIN)/python scripts/gen_typescript.py
	$(BIN)/python $(INSPECTOR)/web_build.py --format

.PHONY: docs
docs: $(READY) ## The documentation as a site, in site/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

.PHONY: docs-serve
docs-serve: $(READY) ## The site at http://127.0.0.1:8000, built again as pages change
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

.PHONY: coverage
coverage: $(READY) agents inspector-if-possible ## Tests with coverage, servers and agents in other processes included
	@rm -f .coverage .coverage.*
	COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml $(BIN)/python -m pytest -n auto --dist loadgroup --cov --cov-report=
	$(BIN)/coverage report --skip-covered

.PHONY: faults
faults: $(READY) ## What breaks, and what comes of it; writes docs/reliability.md
	FAULTS=write $(BIN)/python -m pytest -m fault -n auto --dist loadgroup

.PHONY: bench
bench: $(READY) ## Benchmarks beside the peer's own binary; writes docs/performance.md
	@$(BIN)/python scripts/install_test_agents.py --peer
	$(BIN)/python -m benchmarks --write-docs

.PHONY: build
build: $(READY) ## Wheels of all packages in dist/
	@for package in $(PACKAGES); do $(BIN)/python -m build --wheel --outdir dist $$package >/dev/null || exit 1; done; ls dist

.PHONY: release-check
release-check: $(READY) ## Build sdists and wheels, and try them in clean environments on every Python here
	@$(BIN)/python scripts/release_check.py $(ARGS)

.PHONY: clean
clean: ## Remove everything that can be made again
	rm -rf $(INSPECTOR)/web/node_modules $(INSPECTOR)/src/sandbox_agent_inspector/static
	rm -rf $(VENV) .agents .agents-newest .providers-newest dist site .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis

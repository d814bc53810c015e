# One way in for people and machines. Needs Python >= 3.11 with its venv module, and make; the rest is fetched.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { command -v $$p; break; }; done)
BOOT = $(PYTHON) scripts/bootstrap.py
DATA ?= .demo
ARGS ?=
STAGES ?=

.PHONY: help demo test dev lint format bench lock web schema docs wheel clean python

help: ## Show this list
	@echo "Gongshi 共视 - make targets:"
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'Variables: ARGS="..." goes to the program, DATA=dir holds the demo, STAGES="unit docs" picks test stages.'

demo: python ## Start a seeded sample city with simulated cameras; prints address and accounts
	@$(BOOT) runtime web
	@exec .venv/bin/gongshi demo --data "$(DATA)" $(ARGS)

test: python ## Run every check, fail at the first stage that fails
	@$(BOOT) dev
	@exec .venv/bin/python scripts/run_tests.py $(STAGES)

dev: python ## Demo node plus the web development server with hot reload
	@$(BOOT) dev node-modules
	@exec .venv/bin/python scripts/run_dev.py --data "$(DATA)" $(ARGS)

lint: python ## Format check, lint, types and import arrows (Python and web)
	@$(BOOT) dev
	@exec .venv/bin/python scripts/run_tests.py lint types arrows web-lint web-schema web-types

format: python ## Format Python in place
	@$(BOOT) dev
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

bench: python ## Measure and print the figures of the README (ARGS="name" runs one script)
	@$(BOOT) dev web
	@exec .venv/bin/python scripts/run_bench.py $(ARGS)

lock: python ## Refresh requirements/*.lock from pyproject.toml (docs/decisions/0001-lock-files.md)
	@$(BOOT) lock $(ARGS)

web: python ## Build the web app into src/gongshi/web_dist
	@$(BOOT) web

schema: python ## Refresh the pages' types from the API's description (web/src/core/api/schema.d.ts)
	@$(BOOT) dev schema

docs: python ## Build the documentation strictly into site/
	@$(BOOT) dev
	@exec .venv/bin/python scripts/run_tests.py docs

wheel: python ## Build the wheel, with the web app in it, into dist/
	@$(BOOT) dev
	@exec .venv/bin/python scripts/run_tests.py web-build wheel

clean: ## Remove what make built; keeps the demo's data
	@rm -rf .venv .tools .make site dist src/gongshi/web_dist web/node_modules .pytest_cache .ruff_cache \
		.hypothesis .import_linter_cache
	@find src tests scripts bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found. On Debian or Ubuntu type:"; \
		echo "  sudo apt-get install --yes python3 python3-venv"; exit 1; }

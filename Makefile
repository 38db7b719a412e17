# Everything that a contributor types. `make help` lists it.
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
CASES ?= 10000
SECONDS_OF_FUZZ ?= 600
PARALLEL := -n $(WORKERS) --dist loadgroup
BUILD := build

export PYTHON

.PHONY: help demo test coverage stories check lint lab truth bench live fuzz mutate lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml tools/bootstrap.sh
	tools/bootstrap.sh runtime

$(VENV)/.dev: requirements/dev.txt pyproject.toml tools/bootstrap.sh
	tools/bootstrap.sh dev

demo: $(VENV)/.runtime ## play the embedded world, audit it, name the HTML report
	$(BIN)/auditor demo

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint ## before each commit: linters, types, layers, fast tests
	$(BIN)/python -m pytest $(PARALLEL) -q -m "not real and not browser and not live and not slow"

test: $(VENV)/.dev ## everything, on any machine: what CI runs
	tools/debian_packages.sh
	rm -f $(BUILD)/real-programs.json
	$(BIN)/python -m pytest $(PARALLEL) -m "not live and not heavy" \
	  --durations 15 --real-programs $(BUILD)/real-programs.json
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m tests.real_programs $(BUILD)/real-programs.json

# Apart, because on Python 3.11 counting branches takes more than half of what CI has in time.
coverage: $(VENV)/.dev ## the same tests, with every branch counted
	tools/debian_packages.sh
	rm -f .coverage .coverage.*
	$(BIN)/python -m coverage run -m pytest $(PARALLEL) -q -m "not live and not heavy"
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

lab: $(VENV)/.dev ## predict what deleting does, play it on every real program, compare
	LAB=true tools/debian_packages.sh
	-$(BIN)/python -m tests.real.lab_programs
	mkdir -p $(BUILD)
	$(BIN)/auditor lab --programs .real --report json=$(BUILD)/lab.json \
	  --report html=$(BUILD)/lab.html

stories: $(VENV)/.dev ## the long form of what `make test` plays in short
	tools/debian_packages.sh
	$(BIN)/python -m pytest $(PARALLEL) -m heavy

truth: $(VENV)/.dev ## compare our selection with pip's and uv's own on made pages
	$(BIN)/python -m tests.truth --cases $(CASES)

bench: $(VENV)/.dev ## measure each promise about speed against its floor, in one run
	$(BIN)/python -m tests.bench

live: $(VENV)/.dev ## audit two real incidents on PyPI as pip is configured here (never in CI)
	$(BIN)/python -m pytest -m live -p no:randomly tests/live

fuzz: $(VENV)/.dev ## feed every reader made-up bytes for ten minutes, then find the seeded bugs
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS_OF_FUZZ) --seeded

mutate: $(VENV)/.dev ## drop each judging rule in turn; a test must turn red each time
	$(BIN)/python -m tests.drop_rules

lock: ## write the hashed locks anew (needs a network)
	tools/lock.sh

clean: ## remove everything that was generated, .venv included
	rm -rf $(VENV) .real $(BUILD) dist htmlcov .coverage .coverage.* .pytest_cache .mypy_cache \
	  .ruff_cache .import_linter_cache .hypothesis auditor-demo*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Everything sets itself up. What is expensive (virtualenvs, Go programs) is kept in KUBESTRAP_CACHE
# (default: kubestrap-aws below XDG_CACHE_HOME, else below ~/.cache), the rest is below .make.

SHELL := /bin/bash
PYTHON ?= python3
ARGS ?=

TOOLS := PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1
VENV_PYTHON := $(TOOLS) .make/venv/bin/python
RUN := $(VENV_PYTHON) -m tools.run
STAGES := style changelog unit ansible-lint docs import sanity sandbox molecule integration

.DEFAULT_GOAL := help
.PHONY: help demo test check bench sandbox clean setup programs collection run fix $(STAGES:%=test-%)

help: ## This list
	@echo 'kubestrap.aws: make TARGET [PYTHON=python3.12] [ARGS="..."]'
	@sed -n 's/^\([a-z][a-z-]*\):.*## /  \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
	@echo '  test-STAGE   one stage: $(STAGES)'
	@echo '               ARGS go to its command: make test-unit ARGS="-k trust -x"'

demo: programs ## Two empty AWS accounts and a cluster become a proved Kubecost, in the sandbox
	@$(RUN) python -m demo $(ARGS)

test: programs ## All tests: lint, sanity, unit, sandbox, molecule, integration
	@$(VENV_PYTHON) -m tools.run_all

check: setup ## The quick tests: lint, sanity, unit (no sandbox)
	@$(VENV_PYTHON) -m tools.run_all --check

bench: programs ## Modules, AWS calls and seconds of a run, for 1 and 10 clusters (ten minutes; ARGS="--clusters 1")
	@$(RUN) python -m bench $(ARGS)

sandbox: programs ## Starts a sandbox, prints what to export, keeps it until Ctrl-C
	@$(RUN) python -m sandbox run $(ARGS)

collection: setup ## Copies the tree to .make/ansible_collections/kubestrap/aws, where Ansible finds it
	@$(VENV_PYTHON) -m tools.collection

run: setup ## A command in the tests' environment: make run ARGS="ansible-doc -l kubestrap.aws"
	@$(RUN) $(ARGS)

fix: setup ## Lets ruff set the Python code, and correct what it can (order of imports, old spellings)
	@.make/venv/bin/ruff format --quiet .
	@.make/venv/bin/ruff check --fix .

setup: ## The virtualenv with Ansible and the test tools (others call it)
	@command -v $(PYTHON) >/dev/null || { \
	  echo 'set-up: $(PYTHON) was not found. Python 3.11 or later is needed; name it with make PYTHON=...' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "set-up: $$($(PYTHON) --version 2>&1) is too old. Python 3.11 or later is needed; name it with make PYTHON=..." >&2; exit 1; }
	@$(TOOLS) $(PYTHON) -m tools.setup

programs: setup ## The sandbox' virtualenv and its six Go programs (others call it)
	@$(VENV_PYTHON) -m sandbox setup

clean: ## Removes what was made in the project (the cache stays)
	rm -rf .make tests/output .ansible .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(STAGES:%=test-%): test-%: setup
	@$(VENV_PYTHON) -m tools.run_all --only $* -- $(ARGS)

test-sandbox test-molecule test-integration: programs

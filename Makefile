# Everything one does here, from a clean clone. `make` alone explains the targets.
#
#   make demo LOAD=DIR         the simulator serves the rows in DIR instead of a generated company
#   make demo CUSTOMERS=5000   a larger company (also ITEMS= INVOICES= SEED= LATENCY_MS=)
#   make test ARGS="-k check"  any pytest arguments
#   make setup PYTHON=...      an interpreter of your choice, 3.11 to 3.13

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
CHECKED := dags plugins simulator demo tests benchmarks

# Airflow starts many processes: each would compile every module again without these files.
unexport PYTHONDONTWRITEBYTECODE
# A setting of the caller's shell must not reach into the project's own environment.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

export LOAD CUSTOMERS ITEMS INVOICES SEED LATENCY_MS RESET COMPANY

# Looking at a demo, or stopping it, is no reason to install anything.
NONE = There is no demo here yet. Start one with: make demo
IF_SET_UP = if [ ! -x $(BIN)/python ]; then echo "$(NONE)"; exit 0; fi;
NEEDS_SET_UP = if [ ! -x $(BIN)/python ]; then echo "$(NONE)" >&2; exit 1; fi;

.PHONY: help setup demo down status logs psql shell test lint format mappings screenshots lock bench clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '  make %-11s %s\n' "$$target" "$$text"; done

setup: ## Make or refresh .venv: every package in requirements-dev.lock, and this project
	@scripts/setup.sh

demo: ## Start Postgres, the QuickBooks simulator and Airflow, and bring a sample company in
	@DEMO_STARTED=$$(date +%s) && export DEMO_STARTED && scripts/setup.sh && exec $(BIN)/python -m demo up

down: ## Stop all that demo started (RESET=1 also removes its data)
	@$(IF_SET_UP) exec $(BIN)/python -m demo down

status: ## Show what the demo has running, and where
	@$(IF_SET_UP) exec $(BIN)/python -m demo status

logs: ## Follow the logs of everything the demo started
	@$(IF_SET_UP) exec $(BIN)/python -m demo logs

psql: ## Open psql on the demo's CRM database (ARGS="-c 'SELECT ...'" for one statement)
	@$(NEEDS_SET_UP) exec $(BIN)/python -m demo psql $(ARGS)

shell: ## Open a shell with the demo's settings, for `python -m quickbooks_crm` and `airflow`
	@$(NEEDS_SET_UP) exec $(BIN)/python -m demo shell

test: setup ## Run the tests, in four processes (ARGS="..." for pytest, in one)
	@exec $(BIN)/python -m pytest $(or $(ARGS),-n 4)

lint: setup ## Check style and types
	$(BIN)/ruff check $(wildcard $(CHECKED))
	$(BIN)/ruff format --check $(wildcard $(CHECKED))
	$(BIN)/mypy

format: setup ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix-only $(wildcard $(CHECKED))
	$(BIN)/ruff format $(wildcard $(CHECKED))

mappings: setup ## Check every mapping, with the line and the remedy of each problem
	@exec $(BIN)/python -m demo mappings

screenshots: setup ## Take the pictures in docs/images again, of a demo of their own (some minutes)
	@exec $(BIN)/python -m demo.screenshots

lock: setup ## Pin again what requirements*.txt ask for (UPGRADE=1 takes the newest allowed)
	@UPGRADE=$(UPGRADE) scripts/lock.sh

bench: setup ## Measure how fast QuickBooks is read, the CRM loaded and the pages shown, the simulator and the webhooks' receiver (some 25 minutes)
	@for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(BIN)/python "$$benchmark" || exit 1; done

clean: down ## Remove .venv and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

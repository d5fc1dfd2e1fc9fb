# The commands of this project, in the order a newcomer needs them.
.PHONY: setup run test races mutants e2e lint types format seed

setup: ; scripts/install.sh requirements.txt requirements-local.txt requirements-dev.txt
run: ; ./init.sh
test: ; scripts/test.sh
races: setup
	.venv/bin/python -m pytest tests/races
	.venv/bin/python -m pytest tests/billing/test_ledger_machine.py --ledger-examples 1000 --ledger-steps 50
mutants: setup ; .venv/bin/python -m tests.mutants money
e2e: setup ; .venv/bin/python -m pytest -m browser
lint: setup ; .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports
types: setup ; scripts/types.sh
format: setup ; .venv/bin/ruff format . && .venv/bin/ruff check --fix .
seed: ; ./demo_init.sh

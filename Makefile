# The commands of this project, in the order a newcomer needs them.
.PHONY: setup run test races faults chaos mutants mutmut restore-test upgrade-test e2e compose-test screenshots bench bench-quick bench-history bench-books lint types format seed

# The fault tests bring servers of their own; nobody's others are asked or started.
UNSHARED = DATABASE_URL=postgresql:///unused BROKER_URL=memory://

setup: ; scripts/install.sh requirements.txt requirements-local.txt requirements-dev.txt
run: ; ./init.sh
test: ; scripts/test.sh
races: setup
	.venv/bin/python -m pytest tests/races
	.venv/bin/python -m pytest tests/billing/test_ledger_machine.py --ledger-examples 1000 --ledger-steps 50
faults: setup ; $(UNSHARED) .venv/bin/python -m pytest tests/faults
chaos: setup ; $(UNSHARED) .venv/bin/python -m tests.faults.chaos --minutes $(or $(MINUTES),30) $(ARGS)
mutants: setup ; FAULTS=short .venv/bin/python -m tests.mutants $(or $(LIST),money) $(PART)
mutmut: setup ; .venv/bin/python -m tests.mutants.measure
restore-test: setup ; .venv/bin/python -m pytest tests/operations/test_restoring.py tests/operations/test_changing_passwords.py
upgrade-test: setup ; .venv/bin/python -m pytest tests/operations/test_upgrading.py tests/operations/test_behind_pgbouncer.py
e2e: setup ; LOOKS=all .venv/bin/python -m pytest -m browser
compose-test: setup ; .venv/bin/python -m tests.compose --log docs/compose-test.log $(ARGS)
screenshots: setup ; .venv/bin/python -m pytest tests/e2e/picture_book.py
bench: setup ; .venv/bin/python -m benchmarks.service --report docs/benchmarks $(ARGS)
bench-quick: setup ; .venv/bin/python -m benchmarks.service --quick
bench-history: setup ; .venv/bin/python -m benchmarks.history --report docs/benchmarks $(ARGS)
bench-books: setup ; .venv/bin/python -m benchmarks.books --report docs/benchmarks/books.md
lint: setup ; .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports
types: setup ; scripts/types.sh
format: setup ; .venv/bin/ruff format . && .venv/bin/ruff check --fix .
seed: ; ./demo_init.sh

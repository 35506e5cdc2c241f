# make train    set up .venv and train the default job       make train ARGS="dataset=time_machine size=base"
# make test     set up .venv, then lint, types and tests
PYTHON ?= python3
ARGS ?= sampler=random lr=1
BIN = .venv/bin

.PHONY: train test lint format clean

train: .venv/installed
	$(BIN)/python run.py $(ARGS)

test: lint
	$(BIN)/pytest $(TESTS)

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyrefly check --python-interpreter-path $(BIN)/python

format: .venv/installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "rnnlab needs Python 3.11 or later: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -c constraints.txt -e .
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis dist

# make demo: colorize samples/ with the shipped weights.  make test: lint and tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	@$(BIN)/python colorize.py --input samples --output outputs/demo --overwrite

test: $(VENV)/installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m pytest -n 2 --dist worksteal

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

# A stamp per requirements file: set-up runs again only when the file has changed.
$(VENV)/installed: requirements.txt | $(VENV)/bin/python
	@echo "installing requirements.txt into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

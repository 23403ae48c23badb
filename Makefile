# make demo: colorize samples/ with the shipped weights.  make app: a page in the browser.
# make test: lint and tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo app test
.DELETE_ON_ERROR:

demo: $(VENV)/installed-colorize
	@$(BIN)/python colorize.py --input samples --output outputs/demo --overwrite

app: $(VENV)/installed-app
	@$(BIN)/python app.py --browser

test: $(VENV)/installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m pytest -n 2 --dist worksteal

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

# A stamp for what each command needs: set-up runs again only when a file it read has changed.
$(VENV)/installed-colorize: requirements-colorize.txt | $(VENV)/bin/python
	@echo "installing $< into $(VENV) (half a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)/installed-app: requirements-app.txt requirements-colorize.txt | $(VENV)/bin/python
	@echo "installing $< into $(VENV) (a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@ $(VENV)/installed-colorize

$(VENV)/installed-dev: requirements-dev.txt requirements.txt requirements-app.txt requirements-colorize.txt | $(VENV)/bin/python
	@echo "installing $< into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@ $(VENV)/installed-colorize $(VENV)/installed-app

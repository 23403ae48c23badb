# make demo: colorize samples/ with the shipped weights.  make app: a page in the browser.
# make web: the page of one file, for any browser, which needs npm.  make test: lint and tests; make
# test-all: the slow ones too.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A virtual environment of another Python is made anew.
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
MADE := $(VENV)/made-with-$(VERSION)

.PHONY: demo app web test test-all
.DELETE_ON_ERROR:

demo: $(VENV)/installed-colorize
	@$(BIN)/python colorize.py --input samples --output outputs/demo --overwrite --compare
	@echo "before and after: outputs/demo/*-compare.jpg"

app: $(VENV)/installed-app
	@$(BIN)/python app.py --browser

web: $(VENV)/installed-dev web/node_modules
	@$(BIN)/python web/build.py

test: $(VENV)/installed-dev web/node_modules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-all: test
	@$(BIN)/python -m pytest -m slow

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 15) else \
	"error: Python %d.%d is given, 3.11 to 3.14 is needed; run: make PYTHON=python3.13" \
	% sys.version_info[:2])'
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The tests of web/ are skipped without npm.
web/node_modules: web/package-lock.json
	@if command -v npm >/dev/null; then npm --prefix web ci --silent && touch $@; fi

# A stamp for what each command needs: set-up runs again only when a file it read has changed.
$(VENV)/installed-colorize: requirements-colorize.txt $(MADE)
	@echo "installing $< into $(VENV) (half a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)/installed-app: requirements-app.txt requirements-colorize.txt $(MADE)
	@echo "installing $< into $(VENV) (a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@ $(VENV)/installed-colorize

$(VENV)/installed-dev: requirements-dev.txt requirements.txt requirements-app.txt requirements-colorize.txt $(MADE)
	@echo "installing $< into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@ $(VENV)/installed-colorize $(VENV)/installed-app

# make run: open Layerlab.   make test: everything that CI checks.
# Both make their own environment in .venv first, and again only when what it is made from changes.

.PHONY: run test format clean

FILE ?=
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python,$(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
BIN = .venv/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
MADE_FROM = pyproject.toml constraints.txt

run: .venv/installed
	@$(BIN)/layerlab $(FILE)

test: .venv/installed-test
	@missing=`$(BIN)/python -m engine.doctor`; if [ -n "$$missing" ]; then \
	  echo "Qt's system libraries are missing, so the tests of the window are SKIPPED. Install them:"; \
	  echo "  sudo apt-get install $$missing"; fi
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder

format: .venv/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Layerlab needs Python 3.11 or newer; none was found. Install it, or say: make PYTHON=/path/to/python"; exit 1; }
	@echo "Making the environment in .venv (once; torch is large, so this takes minutes)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv module is missing. Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }

.venv/installed: .venv/bin/python $(MADE_FROM)
	@$(INSTALL) --editable .
	@touch $@

.venv/installed-test: .venv/installed
	@$(INSTALL) --editable '.[test]'
	@touch $@

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache

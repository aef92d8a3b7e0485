# `make demo`, `make test` and `make docs` need nothing but Python 3.11+ and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

# Pyserini 2.x needs Python 3.12, and its PyPI build of torch some 6 GB: an environment of its own, plug-in tests only.
PYTHON312 := $(shell .ci/find-python312)
VENV312 := .venv312
BIN312 := $(VENV312)/bin
READY312 := $(VENV312)/.installed
LIMIT := timeout --foreground --kill-after=30s
PLUGIN_TESTS := $(wildcard tests/pyserini_plugin/test_plugin_*.py) $(addprefix tests/pyserini_plugin/test_,$(addsuffix .py, \
	bm25 doctor entry_points java matching max_passage offline shims_needed uninstall)) tests/encode/test_encode_queries.py \
	tests/encode/test_export.py

.PHONY: demo test test-pyserini2 lint docs clean

demo: $(READY)
	$(BIN)/qgdr demo --output qgdr-demo

# Threads of several processes that share cores wait for each other.
test test-pyserini2: export OMP_NUM_THREADS := 1

# Folders and files in the order of their names: the long ones are not the last.
test: $(READY) lint
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

ifeq ($(PYTHON312),)
test-pyserini2:
	@echo "=== SKIPPED: NOTHING WAS TESTED WITH PYSERINI 2.x: no Python 3.12 is here; set PYTHON312= ===" >&2
else
test-pyserini2: $(READY312)
	$(LIMIT) 30m $(BIN312)/python -m pytest $(PLUGIN_TESTS)
endif

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The site, in build/site; a dead link, an unknown page or a broken docstring ends it. It needs no network.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 OMP_NUM_THREADS=1 $(BIN)/python -m mkdocs build --strict

# torch goes first: the pinned version is taken wherever pip finds it, before any range can pull another.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,docs,evaluators]'
	touch $@

$(READY312): pyproject.toml constraints-py312.txt
	$(PYTHON312) -m venv $(VENV312)
	$(LIMIT) 15m $(BIN312)/python -m pip install --quiet --constraint constraints-py312.txt --editable . \
		pyserini==2.4.0 pytest hypothesis
	touch $@

clean:
	rm -rf $(VENV) $(VENV312) qgdr-demo build/site

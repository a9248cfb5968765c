# `make` lists the targets. Each sets up the environment it needs first; nothing outside this folder is changed.
# Needs GNU make 3.81 or newer and Python 3.11, 3.12 or 3.13; name one with PYTHON=, another folder with VENV=.

SHELL := /bin/sh
VENV ?= .venv
SEED ?= 1
PYTEST_ARGS ?=

BIN := $(VENV)/bin
# Written last, so that an interrupted set-up is done again.
STAMP := $(VENV)/ready
PACKAGES := affwildnet data_pipeline experiments tfrecords

# A PYTHON that is not the environment's makes a new environment.
ifneq ($(PYTHON),)
ifneq ($(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null),$(shell cat $(STAMP) 2>/dev/null))
STALE := stale
endif
endif

.PHONY: help setup demo experiments test test-slow conformance lint format clean stale

help:
	@echo "make demo        the whole system on synthetic faces, into build/demo (SEED=1)"
	@echo "make experiments the paper's tables on drawn faces, about half an hour on two cores; goes on where it stopped"
	@echo "make test        the fast tests (PYTEST_ARGS=... is passed on)"
	@echo "make test-slow   the slow tests"
	@echo "make conformance every backbone, cell and composite through every check"
	@echo "make lint        ruff, mypy and the layers between the packages"
	@echo "make format      put the code in ruff's form"
	@echo "make setup       only the environment, in $(VENV)"
	@echo "make clean       remove build products and caches, and the environment"
	@echo "Choose a Python with PYTHON=python3.12, an environment's folder with VENV=/some/folder."

setup: $(STAMP)

$(STAMP): setup.py tools/check_python.py tools/setup_environment.sh $(wildcard constraints/*.txt) $(STALE)
	@PYTHON="$(PYTHON)" sh tools/setup_environment.sh "$(VENV)"

demo: $(STAMP)
	$(BIN)/python -m experiments.demo --output=build/demo --seed=$(SEED)

# The paper's tables on drawn faces, shortened alike: what is finished is not run again. The page is what docs/ shows.
TABLES := build/experiments
TABLES_WORKSPACE ?= $(TABLES)/workspace
TABLES_FLAGS := --workspace=$(TABLES_WORKSPACE) --output=$(TABLES)/runs --budget=0.001 --checkpoints=4 --poll_seconds=1
experiments: $(STAMP)
	@[ -e $(TABLES_WORKSPACE)/partition.csv ] || { \
	  $(BIN)/python -m data_pipeline.demo_faces --workspace=$(TABLES_WORKSPACE) --seed=$(SEED) && \
	  $(BIN)/python -m data_pipeline.build --workspace=$(TABLES_WORKSPACE); }
	$(BIN)/python -m experiments.run --table=6.2 --seeds=1,2,3 --set=backbone=small_cnn,learning_rate=1e-3 $(TABLES_FLAGS)
	$(BIN)/python -m experiments.run --table=6.4 --variants='small_cnn_case*' --set=learning_rate=1e-3 $(TABLES_FLAGS)
	$(BIN)/python -m experiments.run --table=6.5 --set=backbone=small_cnn,learning_rate=1e-3 $(TABLES_FLAGS)
	$(BIN)/python -m experiments.report --output=$(TABLES)/runs
	@echo "to show it: cp $(TABLES)/runs/report/index.html docs/experiments_demo.html"

# Two processes, a file each at a time: TensorFlow needs about 1 GiB in each.
test: $(STAMP)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	  echo "no chromium here: tests that need a browser are skipped"
	$(BIN)/python -m pytest -m "not slow and not conformance" -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

# Every backbone, cell and composite through every check.
conformance: $(STAMP)
	$(BIN)/python -m pytest tests/affwildnet/test_conformance.py -n 2 $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(PACKAGES) tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
	@# Only an environment that this Makefile made has its stamp.
	@if [ -f "$(STAMP)" ] || [ "$(VENV)" = .venv ]; then rm -rf "$(VENV)"; fi

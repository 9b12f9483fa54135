# Each target builds what it needs, so any of them can be the first one in a fresh clone.
#   make demo     agents run an experiment on themselves
#   make test     every test, on up to four cores; make test PYTEST='-n 0 -k merge -x' runs some, one after another
#   make check    format, lint, types, layers, generated code, stub
#   make bench    everything side by side in one run; writes docs/performance.md
#   make bench-core          the core alone
#   make bench-compare       whether a change made something slower: BASE=main
#   make oracles  asks independent engines again what the tests compare with
#   make simulate           experiments by the thousand: how often the methods are wrong
#   make simulate-alerts     weeks in which nothing differs: how often anybody is alerted
#   make simulate-crashes    100,000 lives of a sidecar on a disk that loses what was not synced
#   make faults   every fault a thousand times over, on the real program and both databases
#   make mutants  plants bugs and demands that the faults find them
#   make audit    known advisories against pinned versions; fails when it cannot ask
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
export PIP_CONSTRAINT := $(abspath constraints.txt)
# The native module and everything else that asks for a Python use this one.
export PYO3_PYTHON := $(abspath $(BIN)/python)
export VIRTUAL_ENV := $(abspath $(VENV))
CRATES := --package sortition-core --package sortition-server --package sortition-codegen

.PHONY: build demo test check bench bench-core bench-compare oracles faults mutants simulate simulate-alerts simulate-crashes simulate-mutants format proto lock audit clean

build: $(VENV)/.built

$(VENV)/.tools: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "sortition needs CPython 3.10 or later; say which: make PYTHON=/path/to/python3"; exit 1; }
	@command -v cargo >/dev/null || { echo "sortition needs a Rust toolchain: https://rustup.rs"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install 'pip>=25.1'
	$(PIP) install --group dev
	@touch $@

$(VENV)/.built: $(VENV)/.tools Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)
	$(BIN)/maturin develop --release --locked --quiet
	@touch $@

demo: build
	$(BIN)/sortition demo $(DEMO)

test: build
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(PYTEST)
	cargo test --locked --quiet $(CRATES)

check: build
	$(BIN)/python tools/check.py

# make bench BENCH='-k lane' measures a part of it again, and leaves the rest of the document as it was.
# What is forked here becomes another program at once; gRPC's handlers for forks would only stop it now and then.
bench bench-compare: export GRPC_ENABLE_FORK_SUPPORT := 0
bench: build $(VENV)/.oracles $(VENV)/.peers
	$(PIP) install --group bench
	$(BIN)/python -m pytest benches --benchmark-enable --benchmark-only --keep $(BENCH)

# SDKs with many dependencies of their own, and none that sortition has; one that does not install is left out.
$(VENV)/.peers: benches/peers.txt
	test -x $(VENV)/peers/bin/python || $(PYTHON) -m venv $(VENV)/peers
	for peer in $$(grep -v '^#' benches/peers.txt); do \
	  PIP_CONSTRAINT= $(VENV)/peers/bin/python -m pip --quiet --disable-pip-version-check install $$peer \
	    || echo "$$peer does not install here"; done
	@touch $@

# make bench-compare BASE=main COMPARE='--rounds 20 --without-servers'
bench-compare: build
	@test -n '$(BASE)' || { echo "say what to compare with: make bench-compare BASE=main"; exit 2; }
	PYTHONPATH=src:benches $(BIN)/python benches/compare.py $(BASE) $(COMPARE)

# Engines that other versions or a compiler are needed for are left out where they do not install.
$(VENV)/.oracles: tests/known_answers/oracles.txt
	test -x $(VENV)/oracles/bin/python || $(PYTHON) -m venv $(VENV)/oracles
	PIP_CONSTRAINT= $(VENV)/oracles/bin/python -m pip --quiet --disable-pip-version-check install -r tests/known_answers/oracles.txt
	for engine in gbstats==0.8.0 savvi==0.3.1; do \
	  PIP_CONSTRAINT= $(VENV)/oracles/bin/python -m pip --quiet --disable-pip-version-check install --no-deps $$engine \
	    || echo "$$engine does not install here"; done
	PIP_CONSTRAINT= $(VENV)/oracles/bin/python -m pip --quiet --disable-pip-version-check install --no-deps --no-build-isolation confseq==0.0.11 \
	  || echo "confseq does not install here; it needs a C++ compiler, CMake and the headers of Boost"
	@touch $@

oracles: $(VENV)/.oracles
	$(VENV)/oracles/bin/python tests/known_answers/ask.py $(ORACLES)

bench-core:
	cargo bench --locked --package sortition-core

# make faults FAULTS='--only kill,commit --database sqlite --cycles 0.1' runs a part of it.
faults: build
	PYTHONPATH=src:tests $(BIN)/python -m faults.campaign $(FAULTS)

mutants: build
	PYTHONPATH=src:tests $(BIN)/python -m faults.mutants $(MUTANTS)

# make simulate SIMULATE='--only error-mean,returning --runs 2000' runs a part of it.
simulate: build
	OMP_NUM_THREADS=1 PYTHONPATH=src:tests $(BIN)/python -m statistical.campaign $(SIMULATE)

# make simulate-alerts ALERTS='--only plain --runs 200' runs a part of it.
simulate-alerts: build
	OMP_NUM_THREADS=1 PYTHONPATH=src:tests $(BIN)/python -m statistical.false_alerts $(ALERTS)

# One seed again, step by step: SORTITION_SIM_SEED=17 cargo test --package sortition-core --test simulation -- --nocapture
simulate-crashes:
	SORTITION_SIM_SEEDS=$(or $(SEEDS),100000) cargo test --locked --release --package sortition-core --test simulation -- --nocapture

simulate-mutants:
	$(PYTHON) tools/simulate_mutants.py

format: build
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	cargo fmt --all

proto: build
	$(BIN)/python tools/gen_proto.py

lock: build
	$(BIN)/python tools/lock.py $(or $(PYTHONS),$(PYTHON))

audit: build
	$(BIN)/python tools/audit.py

clean:
	rm -rf $(VENV) target src/sortition/_core*.so

# The two commands: `make hello` and `make test`. Both make their own virtual environment and need only Rust,
# Python 3.11 or later, and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := Cargo.toml Cargo.lock build.rs pyproject.toml $(shell find src proto python -type f -not -name '*.so' -not -name '*.pyc')
# On a terminal the hello-world goes on until Ctrl-C; elsewhere it ends by itself.
FOR := $(shell test -t 0 || echo --for 30)
# How many processes `make test` runs tests in, each all of a file; most of the time tests wait.
WORKERS ?= 2
# What `make fuzz` runs, and how often each.
TARGETS ?= $(basename $(notdir $(sort $(wildcard fuzz/fuzz_targets/*.rs))))
RUNS ?= 10000000
# The C library that `make wheels` builds for: gnu or musl.
LIBC ?= gnu
PLATFORM := $(if $(filter musl,$(LIBC)),musllinux_1_2,manylinux2014)

.PHONY: hello test test-quick simulate simulate-ghosts loom lint wheels docs conformance allocation requests pymesos chaos soak fuzz bench bench-all stubs notebooks screenshots licenses clean

hello: $(VENV)/.installed
	$(BIN)/remesos run $(FOR) examples/hello_world.py

test: lint
	cargo test --quiet --no-default-features
	$(MAKE) --no-print-directory loom
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

# What tells within a minute, after the build, whether a change works: the tests that need neither the real Mesos nor
# ZooKeeper and are not marked slow.
test-quick: $(VENV)/.developed
	cargo test --quiet --no-default-features
	$(BIN)/python -m pytest --quiet --numprocesses 4 -m "not apache and not slow"

# Drivers and an embedded cluster in virtual time, on a network with faults, from many seeds. One that fails tells its story.
SEEDS ?= 0..100000
simulate:
	cargo test --quiet --no-default-features --profile simulation --test simulation -- --seeds $(SEEDS)

# Lock-free code in every order that its threads can have.
loom:
	cargo test --quiet --release --lib --manifest-path loom/Cargo.toml

# Whether the simulation finds faults: those in tests/simulation/ghosts/, each put into a copy of the sources.
simulate-ghosts:
	$(PYTHON) tests/simulation/ghosts.py

# Formatting, lints, types, stubs and the crate's documentation; nothing is run.
lint: $(VENV)/.developed
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --document-private-items
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright --level error --pythonpath $(BIN)/python
	PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python $(BIN)/python -m mypy.stubtest mesos --allowlist tests/stubtest.txt --mypy-config-file pyproject.toml

# A wheel and a source distribution that a package index takes, in dist/. The wheel is built from the source distribution.
wheels: $(VENV)/.developed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tools/release-requirements.txt
	rm -rf dist
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/maturin build --release --sdist --out dist --zig \
		--compatibility $(PLATFORM) --target $(shell uname -m)-unknown-linux-$(LIBC)
	$(BIN)/python tools/check_wheel.py

# The documentation's site, in target/site.
docs: $(VENV)/.developed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r docs/requirements.txt
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# Apache's driver and ours side by side, scenario by scenario.
conformance: $(VENV)/.developed
	$(BIN)/python -m tests.conformance

# The real Mesos and the embedded cluster side by side: who is offered what, and when.
allocation: $(VENV)/.developed
	$(BIN)/python -m tests.allocation

# The real Mesos and the embedded cluster side by side: what their APIs answer.
requests: $(VENV)/.developed
	$(BIN)/python -m tests.requests

# pymesos' own tests, which are fetched from its repository, against ours.
pymesos: $(VENV)/.developed
	$(BIN)/python -m tests.pymesos

# What breaks on the real Mesos and on the embedded cluster while tasks run, and whether the framework's books balance
# then. One scenario fills a disk, for which it has to be root.
chaos: $(VENV)/.developed
	$(BIN)/python -m tests.chaos

# An hour at full load, thousands of lifetimes in one process, and processes that end at random moments.
soak: $(VENV)/.installed
	$(BIN)/python -m tests.soak
	$(BIN)/python -m tests.exits 2000

# Every target in fuzz/ with libFuzzer, on the stable compiler: RUNS inputs each, or as many as come in SECONDS. New ones
# are left in target/fuzz.
fuzz:
	command -v cargo-fuzz >/dev/null || cargo install --quiet --locked cargo-fuzz
	cargo fuzz build --sanitizer none
	for target in $(TARGETS); do \
		mkdir -p target/fuzz/$$target && \
		cargo fuzz run --sanitizer none $$target target/fuzz/$$target fuzz/corpus/$$target -- \
			$(if $(SECONDS),-max_total_time=$(SECONDS),-runs=$(RUNS)) \
			-max_len=4096 -rss_limit_mb=768 -timeout=10 -print_final_stats=1 || exit; done

# The figures that this package is to reach. benches/README.md tells how to read them, and what BENCH can be:
# make bench BENCH="--rows update offer --rounds 9"
bench: $(VENV)/.installed
	$(BIN)/python -m benches.figures $(if $(PYMESOS),--pymesos $(PYMESOS)) $(BENCH)

# The figures, and all other benchmarks.
bench-all: bench
	for name in aio dicts executors first_offer pool simulated page; do \
		echo; echo "$$name:"; $(BIN)/python -m benches.$$name || exit; done
	$(BIN)/python benches/growth.py
	cargo bench --quiet --no-default-features --bench growth
	cargo bench --quiet --no-default-features --bench allocation
	for size in 10x1000 100x10000 1000x100000; do \
		cargo bench --quiet --no-default-features --bench simulation -- $$size || exit; done

stubs: $(VENV)/.developed
	$(BIN)/python tools/generate_stubs.py

# Runs the notebooks in examples/ and saves what they show.
notebooks: $(VENV)/.developed
	$(BIN)/python tools/notebooks.py

# Takes the pictures of the web page in docs/.
screenshots: $(VENV)/.developed
	REMESOS_SCREENSHOTS=docs $(BIN)/python -m pytest --quiet tests/python/test_browser_use.py -k screenshots

licenses: $(VENV)/.made
	$(BIN)/python tools/third_party_licenses.py

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "make: Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; name another with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	touch $@

# As a user installs it: an optimised wheel.
$(VENV)/.installed: $(VENV)/.made $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check .
	rm -f $(VENV)/.developed
	touch $@

# As the tests want it: quickly built, and running from the working tree.
$(VENV)/.developed: $(VENV)/.made $(SOURCES) tests/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	VIRTUAL_ENV=$(VENV) $(BIN)/maturin develop --quiet
	rm -f $(VENV)/.installed
	touch $@

clean:
	rm -rf $(VENV) target .apache-mesos .apache-mesos.lock

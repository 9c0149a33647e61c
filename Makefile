# The commands of the project. `make run` and `make test` set up what they need on a fresh machine.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

.PHONY: run test check bench screenshots influxd lock wheel clean

run: $(VENV)/run.stamp
	$(PY) -m monitor run $(ARGS)

# All of them in four processes: some wait while others work. The tests of a file stay together, for the servers that
# they share, and the files keep their order: by the number of their tests the longest few would come last.
# With ARGS it is what they say, one after the other: make test ARGS=tests/drivers, or ARGS='-n 4 --dist loadfile -x'.
test: $(VENV)/dev.stamp
	@bash scripts/services.sh
	$(PY) -m pytest $(or $(ARGS),-n 4 --dist loadfile --no-loadscope-reorder)

check: $(VENV)/dev.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	PATH="$(VENV)/bin:$$PATH" lint-imports --no-logo

bench: $(VENV)/dev.stamp
	$(PY) -m benchmarks $(ARGS)

# The pictures of the documents, taken anew into docs/images, or where ARGS="--out FOLDER" says (needs Chromium).
screenshots: $(VENV)/dev.stamp
	$(PY) -m scripts.screenshots $(ARGS)

# Builds the InfluxDB server that the tests run against, unless it is there, and prints where it is (needs Go and Cargo).
influxd:
	@bash scripts/influxd/build.sh

# The hash-pinned requirements, renewed from pyproject.toml (needs uv). `make run` brings what the report is printed with.
lock:
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate --upgrade \
	  --extra report --extra edf pyproject.toml -o requirements.lock
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

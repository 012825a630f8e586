# make run: everything from an empty checkout to a report, make run-all the whole composition. make test: lint, types, compile check, tests.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CODE := components pipelines tools_service
RUN ?= self_training preset=demo
RUN_ALL ?= whetstone preset=demo
WORKERS ?= 2

.PHONY: run run-all test images containers lint types compile compile-check lock clean

run: $(READY)
	$(BIN)/whetstone run $(RUN)

run-all: $(READY)
	$(BIN)/whetstone run $(RUN_ALL)

test: lint types compile-check
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist loadfile --durations 15

# Every image, by any docker: DOCKER, REGISTRY, TORCH=cuda|cpu, PUSH=1; see docker/README.md.
images:
	sh docker/build.sh

# Every image that can run on CPU, built and run on this machine, as the compiled demo. CONTAINERS=--cold builds anew.
containers: $(READY)
	PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR) $(BIN)/python -m tests.containers $(CONTAINERS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo

types: $(READY)
	$(BIN)/mypy $(CODE)

compile-check: $(READY)
	$(BIN)/whetstone compile --check

compile: $(READY)
	$(BIN)/whetstone compile

# All by hash but torch, whose build differs from machine to machine: it goes by version. Then this checkout, editable, built with the locked setuptools.
$(READY): requirements.lock requirements-torch.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-torch.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	touch $(READY)

lock: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile pyproject.toml --extra test --generate-hashes --universal --python-version 3.11 \
		--no-emit-package torch --no-annotate --quiet --custom-compile-command 'make lock' \
		--output-file requirements.lock
	UV=$(BIN)/uv sh docker/lock.sh

clean:
	rm -rf $(VENV) runs build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# `make` or `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# The newest sweep with a report; name another with SWEEP=<folder>.
SWEEP = $(patsubst %/runs.csv,%,$(lastword $(sort $(wildcard multirun/*/*/runs.csv))))

.PHONY: help setup reproduce reference bench test test-all lint notebooks lock clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(READY)  ## Create .venv with exactly the packages of requirements.lock

# uv comes from the lock itself, with its hash, and installs the rest quickly; pip does if it cannot.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "AugLens needs Python 3.11 or newer; name one with make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@awk '/^[a-z]/ {p = /^uv==/} p' requirements.lock > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt || true
	@echo "Installing the locked packages (about 6 GB; one to three minutes)"
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

reproduce: $(READY)  ## Train the poster's six networks, explain and compare them, build the report
	$(BIN)/python train.py -m augment=scale,crop,erase,distort,blur,none

# What docs/results.md is made from: every command can be run by itself, and again after an interruption.
REFERENCE ?= reference
REFERENCE_OPTIONS = 'saliency=[gradient,blur_perturbation]' logger=none figures=false
reference: $(READY)  ## Run the reference study (an hour or more on two cores) and write docs/results.md from it
	$(BIN)/python train.py -m experiment=seeds $(REFERENCE_OPTIONS) hydra.sweep.dir=$(REFERENCE)/seeds
	$(BIN)/python train.py -m experiment=strength $(REFERENCE_OPTIONS) hydra.sweep.dir=$(REFERENCE)/strength 'reuse=[$(REFERENCE)/seeds]'
	$(BIN)/python train.py -m experiment=floor_order,floor_init,floor_all 'seed=range(10)' $(REFERENCE_OPTIONS) hydra.sweep.dir=$(REFERENCE)/floors 'reuse=[$(REFERENCE)/seeds]'
	$(BIN)/python train.py -m augment=none data.batch_size=10 'seed=range(10)' $(REFERENCE_OPTIONS) hydra.sweep.dir=$(REFERENCE)/batches_of_10
	$(BIN)/python -m auglens.explain sweep=$(REFERENCE)/seeds 'measures=[affinity_diversity,equivariance,untrained]'
	$(BIN)/python -m auglens.explain sweep=$(REFERENCE)/strength measures=affinity_diversity 'reuse=[$(REFERENCE)/seeds]'
	$(BIN)/python -m auglens.study 'sweep=[$(REFERENCE)/seeds,$(REFERENCE)/strength,$(REFERENCE)/floors,$(REFERENCE)/batches_of_10]' out=$(REFERENCE)/study
	cp $(REFERENCE)/study/report/results.md docs/results.md
	mkdir -p docs/figures
	grep -o 'figures/[^)]*png' docs/results.md | sort -u | xargs -I {} cp $(REFERENCE)/study/report/{} docs/{}

bench: $(READY)  ## Time AugLens beside its peers (half an hour on two cores that do nothing else) and write docs/benchmarks.md
	$(BIN)/python -m benchmarks

test: $(READY) lint  ## Lint, type-check and test, without what needs minutes or a cluster
	$(BIN)/python -m pytest -m "not cluster and not extras and not long"

test-all: $(READY) lint  ## Everything that can be tested
	$(BIN)/python -m pytest

lint: $(READY)  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

notebooks: $(READY)  ## Run the notebooks on the newest sweep, or on SWEEP=<folder>; writes notebooks/*_executed.ipynb
	AUGLENS_SWEEP="$(abspath $(SWEEP))" $(BIN)/jupyter execute --output='{notebook_name}_executed' \
		--kernel_name=python3 \
		notebooks/01_poster.ipynb notebooks/02_maps.ipynb notebooks/03_statistics.ipynb

lock: $(READY)  ## Resolve requirements.lock anew for Linux and macOS, Python 3.11 and newer
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-header --quiet --output-file requirements.lock

clean:  ## Remove caches; runs, data and the environment stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

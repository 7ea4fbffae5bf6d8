# Every target is a thin line over `python -m ...`; `--help` of those says more.
SHELL := /bin/bash
PYTHON3 ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
STUDY ?= studies/demo.toml
RUN ?= runs/demo

.DEFAULT_GOAL := help
.PHONY: help demo test check weights images submit local status failures aggregate compare numbers registry pool pool-down containers brainscore brainscore-archive bench catalogue requirements clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY)  ## the whole study in miniature on this machine, offline: report in runs/demo/analysis/
	$(PY) -m studies.demo
	$(PY) -m submit studies/demo.toml --private-pool

test: $(READY)  ## the test suite; on a real HTCondor pool too, where one can be had
	$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile

check: $(READY)  ## lint, types and tests: what CI runs
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(MAKE) test

weights: $(READY)  ## fetch each model's weights once into WEIGHTS of .env: make weights STUDY=studies/x.toml
	$(PY) -m submit.weights $(STUDY)

images: $(READY)  ## pack a study's images once into IMAGES of .env: make images STUDY=studies/x.toml
	$(PY) -m submit.images $(STUDY)

submit: $(READY)  ## write runs/NAME and submit its DAG: make submit STUDY=studies/x.toml; DRY=1 stops before submitting
	$(PY) -m submit $(STUDY) $(if $(DRY),--dry)

local: $(READY)  ## the same pairs on this machine, without HTCondor: make local STUDY=studies/x.toml JOBS=2
	$(PY) -m submit $(STUDY) --local $(if $(JOBS),-j $(JOBS))

status: $(READY)  ## how a run goes, from its files alone: make status RUN=runs/x
	$(PY) -m submit.status $(RUN)

failures: $(READY)  ## what went wrong, by cause, and how to see it here: make failures RUN=runs/x
	$(PY) -m submit.failures $(RUN)

aggregate: $(READY)  ## tables, figures and report again, complete or not: make aggregate RUN=runs/x
	$(PY) -m aggregate $(RUN)

numbers: $(READY)  ## the same analysis of published robust accuracies: make numbers FILE=x.csv SCORES=leaderboard.csv IMAGES=1000
	$(PY) -m aggregate.published $(FILE) --scores $(SCORES) $(if $(IMAGES),--images $(IMAGES)) $(if $(OUT),--out $(OUT))

registry: $(READY)  ## Brain-Score's folders, registered names and scores: make registry PACKAGE=brainscore_vision.whl SCORES=x.csv OUT=y.csv
	$(PY) -m aggregate.registry $(PACKAGE) --scores $(SCORES) --out $(OUT)

compare: $(READY)  ## do two runs agree on every image, and if not, why: make compare A=runs/x B=runs/y
	$(if $(and $(A),$(B)),,$(error make compare wants two run folders: make compare A=runs/x B=runs/y))
	$(PY) -m aggregate.compare $(A) $(B)

pool: $(READY)  ## a private HTCondor pool for this checkout
	$(PY) -m submit.pool up

pool-down: $(READY)  ## end the private pool
	$(PY) -m submit.pool down

containers: requirements/image.txt  ## build the image that jobs run in; containers/build --brainscore: with Brain-Score
	containers/build

brainscore: .brainscore/.ready  ## an environment of its own for brainscore: models and their tests

brainscore-archive: .brainscore/.ready  ## pack what a Brain-Score model fetches: make brainscore-archive MODEL=resnet50_tutorial
	.brainscore/bin/python -m alignsec.models.brainscore_archive $(MODEL) $(MODEL).tar

bench: $(READY)  ## the analysis and the attack engine against their peers: benchmarks/results/*.json, docs/bench.png (half an hour)
	$(PY) -m benchmarks.aggregate
	$(PY) -m benchmarks.engine

catalogue: $(READY)  ## after a change of timm's or torchvision's version: what they know of their models
	$(PY) -m alignsec.catalogue.generate.timm > alignsec/catalogue/timm_catalogue.csv.new
	mv alignsec/catalogue/timm_catalogue.csv.new alignsec/catalogue/timm_catalogue.csv
	$(PY) -m alignsec.catalogue.generate.torchvision > alignsec/catalogue/torchvision.csv.new
	mv alignsec/catalogue/torchvision.csv.new alignsec/catalogue/torchvision.csv
	test ! -x .brainscore/bin/python || .brainscore/bin/python -m alignsec.catalogue.generate.brainscore \
		> alignsec/catalogue/brainscore.csv.new
	test ! -s alignsec/catalogue/brainscore.csv.new || mv alignsec/catalogue/brainscore.csv.new alignsec/catalogue/brainscore.csv
	$(PY) -m alignsec.catalogue.generate.network_cost > alignsec/catalogue/network_costs.csv.new
	mv alignsec/catalogue/network_costs.csv.new alignsec/catalogue/network_costs.csv

COMPILE = $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links pyproject.toml
requirements: $(READY)  ## after a change of pyproject.toml: the pinned requirements
	$(COMPILE) -o requirements/access-point.txt
	$(COMPILE) --extra staging -o requirements/staging.txt
	$(COMPILE) --extra job --extra analysis -o requirements/image.txt
	$(COMPILE) --extra job --extra analysis --extra brainscore --override requirements/brainscore-overrides.txt \
		-o requirements/brainscore.txt
	$(COMPILE) --extra job --extra analysis --extra staging --extra dev -o requirements/all.txt

# uv, not pip: it installs the same CPU-capable torch build everywhere, in seconds.
$(READY): requirements/all.txt
	$(PYTHON3) -c 'import sys; sys.exit("alignsec needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	test -x $(PY) || $(PYTHON3) -m venv $(VENV)
	$(PY) -m pip install --quiet 'uv>=0.9'
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet -r requirements/all.txt
	touch $@

.brainscore/.ready: requirements/brainscore.txt $(READY)
	test -x .brainscore/bin/python || $(PYTHON3) -m venv .brainscore
	VIRTUAL_ENV=.brainscore $(VENV)/bin/uv pip install --quiet -r requirements/brainscore.txt 'pytest>=8'
	touch $@

clean:  ## remove what tests and tools left; runs and the demo's assets stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

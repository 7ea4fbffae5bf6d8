# Each target calls `python -m ...`; run that with `--help` for more options.
SHELL := /bin/bash
PYTHON3 ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
# The environment of an access point has no torch. Targets that need it ask for FULL=1 there.
ACCESS_POINT := $(shell command -v condor_submit)
LIGHT := $(VENV)/.light
STAGING := $(VENV)/.staging
HAVE_FULL := $(wildcard $(READY))
SUBMIT_READY := $(if $(ACCESS_POINT),$(if $(HAVE_FULL),$(READY),$(LIGHT)),$(READY))
STAGING_READY := $(if $(ACCESS_POINT),$(if $(HAVE_FULL),$(READY),$(STAGING)),$(READY))
STUDY ?= studies/demo.toml
RUN ?= runs/demo
# A profile of submit/sites, and a file of settings other than .env: make submit SITE=chtc ENV=my.env
SITE_OPTIONS = $(if $(SITE),--site $(SITE)) $(if $(ENV),--env $(ENV))

.DEFAULT_GOAL := help
.PHONY: help access-point demo test quick check weights images submit preflight canary local status failures aggregate verify compare numbers registry pool pool-down containers brainscore brainscore-archive bench gpu-check faults fuzz validate catalogue requirements clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

access-point: $(LIGHT)  ## create the environment of an access point: without torch, 0.12 GB instead of 5.7 GB

demo: $(READY)  ## run the demo study on this machine, offline; the report is runs/demo/analysis/report.html
	$(PY) -m studies.demo
	$(PY) -m submit studies/demo.toml --private-pool

quick: $(READY)  ## run the fast tests: no pool, no browser, no slow parity test; under two minutes
	$(PY) -m pytest -q -m "not slow" -n auto --maxprocesses 4 --dist loadfile

test: $(READY)  ## run all tests, including those on a private HTCondor pool
	$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile

check: $(READY)  ## run linter, type checker and all tests, as CI does
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(MAKE) test

weights: $(STAGING_READY)  ## download the models' weights into the folder WEIGHTS of .env: make weights STUDY=studies/x.toml
	$(PY) -m submit.weights $(STUDY) $(SITE_OPTIONS)

images: $(STAGING_READY)  ## pack the study's images into the folder IMAGES of .env: make images STUDY=studies/x.toml
	$(PY) -m submit.images $(STUDY) $(SITE_OPTIONS)

submit: $(SUBMIT_READY)  ## write runs/NAME and submit its DAG: make submit STUDY=studies/x.toml; with DRY=1 do not submit
	$(PY) -m submit $(STUDY) $(SITE_OPTIONS) $(if $(DRY),--dry)

preflight: $(SUBMIT_READY)  ## report what would go wrong, without submitting: make preflight STUDY=studies/x.toml SITE=chtc
	$(PY) -m submit.preflight $(STUDY) $(SITE_OPTIONS)

canary: $(SUBMIT_READY)  ## run the cheapest pair end to end and keep its result: make canary STUDY=studies/x.toml SITE=chtc
	$(PY) -m submit $(STUDY) $(SITE_OPTIONS) --canary

local: $(READY)  ## run the pairs on this machine, without HTCondor: make local STUDY=studies/x.toml JOBS=2
	$(PY) -m submit $(STUDY) $(SITE_OPTIONS) --local $(if $(JOBS),-j $(JOBS))

status: $(SUBMIT_READY)  ## show the state of a run, from its files: make status RUN=runs/x
	$(PY) -m submit.status $(RUN)

failures: $(SUBMIT_READY)  ## show failures by cause, with a command to reproduce each: make failures RUN=runs/x
	$(PY) -m submit.failures $(RUN)

aggregate: $(READY)  ## write tables, figures and report again, also of an incomplete run: make aggregate RUN=runs/x
	$(PY) -m aggregate $(RUN)

verify: $(READY)  ## check the kept examples and clean verdicts of a run: make verify RUN=runs/x; or EXAMPLES=folder
	$(PY) -m jobs.verify $(RUN) $(if $(EXAMPLES),--examples $(EXAMPLES))

numbers: $(READY)  ## analyse published robust accuracies: make numbers FILE=x.csv SCORES=leaderboard.csv IMAGES=1000
	$(PY) -m aggregate.published $(FILE) --scores $(SCORES) $(if $(IMAGES),--images $(IMAGES)) \
		$(if $(NAMES),--names $(NAMES)) $(if $(OUT),--out $(OUT))

registry: $(READY)  ## list Brain-Score's registered models with scores: make registry PACKAGE=brainscore_vision.whl SCORES=x.csv OUT=y.csv
	$(PY) -m aggregate.registry $(PACKAGE) --scores $(SCORES) --out $(OUT)

export: $(READY)  ## write a run for other tools: one row per image, RobustBench's JSON, BibTeX: make export RUN=runs/x
	$(PY) -m aggregate.export $(RUN)

compare: $(READY)  ## compare two runs image by image: make compare A=runs/x B=runs/y (or CSV exports of another tool)
	$(if $(and $(A),$(B)),,$(error make compare: two run folders expected: make compare A=runs/x B=runs/y))
	$(PY) -m aggregate.compare $(A) $(B)

pool: $(SUBMIT_READY)  ## start a private HTCondor pool for this checkout
	$(PY) -m submit.pool up

pool-down: $(SUBMIT_READY)  ## stop the private pool
	$(PY) -m submit.pool down

containers: $(SUBMIT_READY)  ## build the image of the jobs, or write a build job on an access point; VARIANT=brainscore or cpu
	$(PY) -m submit.containers $(if $(VARIANT),--variant $(VARIANT))

brainscore: .brainscore/.ready  ## create the separate environment for brainscore: models and their tests

brainscore-archive: .brainscore/.ready  ## pack the files that a Brain-Score model downloads: make brainscore-archive MODEL=resnet50_tutorial
	.brainscore/bin/python -m alignsec.models.brainscore_archive $(MODEL) $(MODEL).tar

bench: $(READY)  ## run the benchmarks (half an hour), or one of them: make bench PART=aggregate, engine, audit or scale
	$(if $(PART),$(PY) -m benchmarks.$(PART),$(PY) -m benchmarks.aggregate && $(PY) -m benchmarks.engine && $(PY) -m benchmarks.audit && $(PY) -m benchmarks.scale)

faults: $(READY)  ## disturb runs on a private pool by seeded faults and compare their verdicts: benchmarks/results/faults.json
	$(PY) -m benchmarks.faults

fuzz: $(READY)  ## fuzz the readers of files, logs and answers: make fuzz SECONDS=600 READER=study
	$(PY) -m benchmarks.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(READER),--reader $(READER)) $(if $(COVERAGE),--coverage)

gpu-check: $(READY)  ## check on a GPU node what was written for GPUs: benchmarks/results/gpu.json and a table
	$(PY) -m benchmarks.gpu_check

validate: $(READY)  ## error rates of the analysis in simulated studies: docs/validation.md (an hour)
	$(PY) -m benchmarks.validation

catalogue: $(READY)  ## update the model catalogues after a new version of timm or torchvision
	$(PY) -m alignsec.catalogue.generate.timm > alignsec/catalogue/timm.csv.new
	mv alignsec/catalogue/timm.csv.new alignsec/catalogue/timm.csv
	$(PY) -m alignsec.catalogue.generate.torchvision > alignsec/catalogue/torchvision.csv.new
	mv alignsec/catalogue/torchvision.csv.new alignsec/catalogue/torchvision.csv
	test ! -x .brainscore/bin/python || .brainscore/bin/python -m alignsec.catalogue.generate.brainscore \
		> alignsec/catalogue/brainscore.csv.new
	test ! -s alignsec/catalogue/brainscore.csv.new || mv alignsec/catalogue/brainscore.csv.new alignsec/catalogue/brainscore.csv
	$(PY) -m alignsec.catalogue.generate.network_cost > alignsec/catalogue/network_costs.csv.new
	mv alignsec/catalogue/network_costs.csv.new alignsec/catalogue/network_costs.csv

COMPILE = $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --generate-hashes
UV_VERSION = 0.13.9
requirements: $(READY)  ## update the pinned requirements after a change of pyproject.toml
	echo 'uv==$(UV_VERSION)' | $(COMPILE) - -o requirements/uv.txt
	$(COMPILE) pyproject.toml -o requirements/access-point.txt
	$(COMPILE) pyproject.toml --extra staging -o requirements/staging.txt
	$(COMPILE) pyproject.toml --extra job --extra analysis -o requirements/image.txt
	$(COMPILE) pyproject.toml --extra job --extra analysis --extra brainscore \
		--override requirements/brainscore-overrides.txt -o requirements/brainscore.txt
	$(COMPILE) pyproject.toml --extra job --extra analysis --extra staging --extra dev -o requirements/all.txt
	$(PY) -m submit.containers --write

# With an older Python on this machine, uv installs Python 3.11 below the home folder. It is then pip that installs uv.
OWN_PYTHON = $(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))'
define create_venv
	test -x $(PY) || { if $(OWN_PYTHON); then $(PYTHON3) -m venv $(VENV); else $(create_with_uv); fi; }
	$(PY) -m pip install --quiet --require-hashes -r requirements/uv.txt
endef
create_with_uv = $(PYTHON3) -m venv .uv && .uv/bin/python -m pip install --quiet --require-hashes \
	-r requirements/uv.txt && .uv/bin/uv venv --quiet --python 3.11 --seed $(VENV)
INSTALL = VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet --require-hashes -r

$(LIGHT): requirements/access-point.txt requirements/uv.txt
	$(create_venv)
	$(INSTALL) requirements/access-point.txt
	touch $@

$(STAGING): requirements/staging.txt requirements/uv.txt
	$(create_venv)
	$(INSTALL) requirements/staging.txt
	touch $@

NEEDS_FULL = this target needs all libraries, 5.7 GB. This machine has condor_submit: on an access point, use submit, \
	status, failures, weights and images. To install all libraries here, add FULL=1 to the command
# uv installs the same torch build on every machine, in seconds.
$(READY): requirements/all.txt requirements/uv.txt
	$(if $(ACCESS_POINT),$(if $(FULL),,$(error $(NEEDS_FULL))))
	$(create_venv)
	$(INSTALL) requirements/all.txt
	touch $@

.brainscore/.ready: requirements/brainscore.txt $(READY)
	test -x .brainscore/bin/python || $(PYTHON3) -m venv .brainscore
	VIRTUAL_ENV=.brainscore $(VENV)/bin/uv pip install --quiet --require-hashes -r requirements/brainscore.txt
	VIRTUAL_ENV=.brainscore $(VENV)/bin/uv pip install --quiet 'pytest>=8'
	touch $@

clean:  ## delete caches of tests and tools; keep runs and the demo's assets
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# `make` builds the report. `make help` lists the rest.
#
# PROFILE=mine     the study of params/mine.yaml; without it that of params/default.yaml
# ONLY=01_dropout  one chapter
# SCHEDULER=...    a Dask cluster that trains, such as tcp://127.0.0.1:8786
# PYTHON=python    an environment that you already have; nothing is created or installed
# BASE_PYTHON=...  the Python that creates .venv
# BENCH=rate       only that section of the benchmarks
# SAMPLE=3         how many runs `make verify` trains again
# FILE=runs.zip    the archive of `make export` and `make import`
# DATA=data.csv    the table that `make new` looks at; NAME=mine, TARGET=column, LABEL=column if you like

PROFILE ?= default
SAMPLE ?= 3
FILE ?= runs.zip
# A shell may have a NAME of its own: these count on make's command line alone.
$(foreach name,NAME TARGET LABEL SCHEDULER,$(if $(findstring command,$(origin $(name))),,$(eval override $(name) :=)))
# What a user says is text: make expands nothing in it, and no shell reads it as a part of its line.
$(foreach name,PROFILE ONLY PYTHON BASE_PYTHON BENCH SAMPLE FILE DATA NAME TARGET LABEL SCHEDULER,$(eval \
	override $(name) := $$(value $(name)))$(eval export $(name)))
export PY := $(or $(PYTHON),.venv/bin/python)
export PYTHONPATH := $(CURDIR)
# Quiet start-up lines under a first cell, and the rounding of the workers in every process.
export TF_CPP_MIN_LOG_LEVEL := 3
export TF_ENABLE_ONEDNN_OPTS := 0

.DEFAULT_GOAL := report
.NOTPARALLEL:
.PHONY: report plan new published publish verify export import test wheel api torture bench lab clean forget lock environment help

report: environment  ## What `make` does: train what is missing and write reports/<PROFILE>/report.html
	@"$$PY" -m lstmstudy report --profile="$$PROFILE"$(if $(ONLY), --only="$$ONLY")$(if \
		$(SCHEDULER), --scheduler="$$SCHEDULER")

plan: environment  ## Say how many runs are missing and how long they will take
	@"$$PY" -m lstmstudy plan --profile="$$PROFILE"

new: environment  ## Look at your own table, DATA=data.csv, and write params/mine.yaml for it
	@"$$PY" -m lstmstudy new$(if $(NAME), --name="$$NAME")$(if $(TARGET), --target="$$TARGET")$(if \
		$(LABEL), --label="$$LABEL") -- "$$DATA"

published: environment  ## Write the published study's report anew, from the runs in reports/published: no training
	@"$$PY" -m lstmstudy report --profile=published

publish: environment  ## Add what is stored of the full study to the runs in reports/published
	@"$$PY" -m lstmstudy publish

verify: environment  ## Check every stored run's checksum, and train SAMPLE=3 of them again
	@"$$PY" -m lstmstudy verify --profile="$$PROFILE" --sample="$$SAMPLE"

export: environment  ## Write the stored runs of PROFILE into one archive, FILE=runs.zip
	@"$$PY" -m lstmstudy export --profile="$$PROFILE" -- "$$FILE"

import: environment  ## Take the runs of an archive into the store, FILE=runs.zip
	@"$$PY" -m lstmstudy import -- "$$FILE"

test: environment  ## Check style and types, and run all tests
	"$$PY" -m ruff check .
	"$$PY" -m ruff format --check .
	"$$PY" -m mypy lstmstudy
	"$$PY" -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

wheel: environment  ## Build the package, install it in an environment of its own, and use it there
	@sh .ci/wheel "$$PY"

api: environment  ## Write the reference of all public names from their docstrings: reports/api/index.html
	@rm -rf reports/api
	@"$$PY" -W ignore::UserWarning -m pdoc --docformat google --output-directory reports/api lstmstudy lstmstudy.layers lstmstudy.techniques \
		lstmstudy.recipe lstmstudy.study.study lstmstudy.study.ablation lstmstudy.updates lstmstudy.figures lstmstudy.data
	@echo "reference: reports/api/index.html"

torture: environment  ## Try that nothing is lost when a build is killed or a disk is full, 20 minutes
	@"$$PY" tests/torture.py

bench: environment  ## Measure speed against plain Keras and PyTorch, half an hour: reports/bench.md
	@[ -x benchmarks/.venv/bin/python ] || "$$PY" -m venv benchmarks/.venv
	@benchmarks/.venv/bin/python -m pip install -qq -r benchmarks/requirements.txt
	@"$$PY" benchmarks/run.py$(if $(BENCH), "$$BENCH")

lab: environment  ## Open the notebooks in JupyterLab
	"$$PY" -m jupyterlab --ServerApp.ip=127.0.0.1 --LabApp.default_url=/lab/tree/notebooks/tutorial.ipynb

clean:  ## Delete everything in reports/ but the trained runs and the published study
	find reports -mindepth 1 -maxdepth 1 ! -name store ! -name published ! -name .gitkeep -exec rm -rf {} +

forget:  ## Delete the trained runs
	rm -rf reports/store

lock:  ## Pin requirements.in in requirements.lock (needs uv)
	uv pip compile requirements.in --output-file requirements.lock --quiet \
		--universal --python-version 3.11 --generate-hashes --no-header --no-annotate

environment:  ## Create .venv from requirements.lock; other commands do so when needed
	@sh .ci/environment

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-12s %s\n", $$1, $$2}' Makefile
	@echo; sed -n -e '/^# [A-Z_]*=/s/^# //p' Makefile

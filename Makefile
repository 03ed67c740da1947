# Every target makes the environment in .venv first; where it is there already, that takes no time.
.DEFAULT_GOAL := help
.PHONY: help env repro report exps push-results pull-results plan pin check preset samples ui test test-slow lint clean

UI_PORT ?= 5000
# Columns that DVC adds: of its queue, and the hash of every file that a stage reads.
EXPS_DROP := Created|State|Executor|runs|.*/
PY := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export TORCH TORCH_INDEX_URL PYTHON
# As it was typed, by the environment: a file's name may hold quotes and dollar signs.
override POOL := $(value POOL)
override PRESET := $(value PRESET)
override SIZE := $(value SIZE)
override GPUS := $(value GPUS)
override CARD := $(value CARD)
override RUN := $(value RUN)
override VS := $(value VS)
override ITEMS := $(value ITEMS)
override TO := $(value TO)
override FROM := $(value FROM)
export TO FROM POOL PRESET SIZE GPUS CARD RUN VS ITEMS

help: ## this list
	@echo "subset-bench: which way of selecting instruction data gives the best model?"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  variables:"
	@echo "    JOBS=4               stages side by side (by default what two cores can do, or one a card)"
	@echo "    GPUS=0,1             spread them over these cards"
	@echo "    PRESET=alpaca_cpu    what to run: a file of conf/ (make preset, make repro)"
	@echo "    SIZE=gpu             with a preset that comes in sizes: conf/<preset>_gpu.yaml"
	@echo "    CARD=h100            the card that make plan reckons with"
	@echo "    POOL=my.jsonl        with PRESET=own: your instruction data"
	@echo "    RUN=kmq:1 VS=random  with make samples: a row, a seed; a second run beside it"
	@echo "    ITEMS=500            with make samples: of a benchmark at most, or all"
	@echo "    TORCH=cpu|cuda       which build of torch (cpu; the CUDA build is several GB)"
	@echo "    TORCH_INDEX_URL=...  where the CPU build comes from, if pip finds none by itself"
	@echo "    PYTHON=...           the Python 3.11+ to use"
	@echo "    UI_PORT=5000         where make ui listens"

env: ## the environment alone, in .venv
	@bash scripts/env.sh

repro: env ## the main table: every stage that is not up to date, then the table itself
	@$(PY) -m pipeline.make.repro $(if $(JOBS),--jobs $(JOBS)) $(if $(GPUS),--gpus "$$GPUS") \
		$(if $(PRESET),--preset "$$PRESET") $(if $(SIZE),--size "$$SIZE") \
		$(if $(POOL),--pool "$$POOL")

report: env ## the page of all results, built and opened: results/<preset>/report.html
	@$(PY) -m pipeline.make.report $(if $(PRESET),--preset "$$PRESET")

plan: env ## make plan PRESET=name: what it will take, before anything runs
	@$(PY) -m pipeline.make.plan $(if $(PRESET),"$$PRESET") $(if $(SIZE),--size "$$SIZE") \
		$(if $(CARD),--card "$$CARD") $(if $(POOL),--pool "$$POOL") $(if $(JOBS),--jobs $(JOBS))

pin: env ## make pin [PRESET=name]: the commits of what presets take from the hub, to conf/pins.yaml
	@$(PY) -m pipeline.make.pin $(if $(PRESET),"$$PRESET") $(if $(SIZE),--size "$$SIZE")

check: env ## params.yaml: keys, names and what they refer to
	@$(PY) -m pipeline.make.check

preset: env ## make preset PRESET=name: write params.yaml from conf/name.yaml, your edits kept
	@$(PY) -m pipeline.make.preset $(if $(PRESET),"$$PRESET") $(if $(SIZE),--size "$$SIZE") \
		$(if $(POOL),--pool "$$POOL")

samples: env ## make samples RUN=name [VS=name]: a page of prompts, answers and scores
	@$(PY) -m pipeline.make.samples $(if $(RUN),"$$RUN") $(if $(VS),--vs "$$VS") $(if $(ITEMS),--items "$$ITEMS")

exps: env ## experiments side by side: what was changed, and the headline of rows (report.metrics)
	@$(PY) -m dvc exp show --no-pager --only-changed --drop '$(EXPS_DROP)'

push-results: env ## make push-results TO=folder: every run, to an archive
	@$(PY) -m pipeline.make.archive push $(if $(TO),"$$TO")

pull-results: env ## make pull-results FROM=folder or URL: every run, without training
	@$(PY) -m pipeline.make.archive pull $(if $(FROM),"$$FROM")

ui: env ## every run in MLflow, in the browser
	@echo "ui: bringing MLflow up to date with the results"
	@$(PY) -m pipeline.track
	@case "$${MLFLOW_TRACKING_URI:-}" in \
	http*) echo "ui: open $$($(PY) -m harness.tracking)" ;; \
	*) echo "ui: open http://127.0.0.1:$(UI_PORT) (Ctrl-C ends it)"; \
	   export MLFLOW_BACKEND_STORE_URI="$${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db}"; \
	   MLFLOW_DISABLE_TELEMETRY=true $(PY) -m mlflow ui --port $(UI_PORT) ;; \
	esac

test: env ## the tests (what is slower: make test-slow)
	@$(PY) -m pytest -m 'not slow' -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-slow: env ## the tests that take minutes each
	@$(PY) -m pytest -m slow $(ARGS)

lint: env ## ruff and pyright
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m pyright

clean: ## remove what the pipeline made, logs and weights too; results/, .venv, DVC's cache stay
	rm -rf data runs worlds timings samples dvc_plots .store .pytest_cache .ruff_cache

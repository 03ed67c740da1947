# Every target makes the environment in .venv first; where it is there already, that takes no time.
.DEFAULT_GOAL := help
.PHONY: help env repro check preset ui test test-slow lint clean

JOBS ?= 2
UI_PORT ?= 5000
PY := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export TORCH TORCH_INDEX_URL PYTHON
# As it was typed, by the environment: a file's name may hold quotes and dollar signs.
override POOL := $(value POOL)
override PRESET := $(value PRESET)
override GPUS := $(value GPUS)
export POOL PRESET GPUS

help: ## this list
	@echo "subset-bench: which way of selecting instruction data gives the best model?"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  variables:"
	@echo "    JOBS=2               stages side by side in make repro, one thread each"
	@echo "    GPUS=0,1             spread them over these cards"
	@echo "    PRESET=alpaca_cpu    what to run: a file of conf/ (make preset, make repro)"
	@echo "    POOL=my.jsonl        with PRESET=own: your instruction data"
	@echo "    TORCH=cpu|cuda       which build of torch (cpu; the CUDA build is several GB)"
	@echo "    TORCH_INDEX_URL=...  where the CPU build comes from, if pip finds none by itself"
	@echo "    PYTHON=...           the Python 3.11+ to use"
	@echo "    UI_PORT=5000         where make ui listens"

env: ## the environment alone, in .venv
	@bash scripts/env.sh

repro: env ## the main table: every stage that is not up to date, then the table itself
	@$(PY) -m pipeline.make.repro --jobs $(JOBS) $(if $(GPUS),--gpus "$$GPUS") \
		$(if $(PRESET),--preset "$$PRESET") $(if $(POOL),--pool "$$POOL")

check: env ## params.yaml: keys, names and what they refer to
	@$(PY) -m pipeline.make.check

preset: env ## make preset PRESET=name: write params.yaml from conf/name.yaml, your edits kept
	@$(PY) -m pipeline.make.preset $(if $(PRESET),"$$PRESET") $(if $(POOL),--pool "$$POOL")

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
	@$(PY) -m pytest -m 'not slow' -n 2 --dist loadfile $(ARGS)

test-slow: env ## the tests that take minutes each
	@$(PY) -m pytest -m slow $(ARGS)

lint: env ## ruff and pyright
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m pyright

clean: ## remove what the pipeline made, logs and weights too; results/, .venv, DVC's cache stay
	rm -rf data runs worlds .store .pytest_cache .ruff_cache

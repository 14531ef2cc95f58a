.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run story day up test lint types arch check openapi lock bench soak eval doctor clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/.runtime: requirements.txt
	@PYTHON="$(PYTHON)" sh scripts/install.sh requirements.txt && touch $@

$(VENV)/.dev: requirements-dev.txt
	@PYTHON="$(PYTHON)" sh scripts/install.sh requirements-dev.txt && touch $@ $(VENV)/.runtime

# Node comes with the development environment; the client libraries of phones from the lock file beside the examples.
examples/node_modules/.installed: examples/package-lock.json $(VENV)/.dev
	@echo "     installing the client libraries of examples/ · 安装示例所需的客户端库"
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix examples --no-audit --no-fund --loglevel=error && touch $@

# What the bench sets sync beside.
bench/peer/node_modules/.installed: bench/peer/package-lock.json $(VENV)/.dev
	@echo "     installing the peer of the bench · 安装基准测试的对照软件"
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix bench/peer --no-audit --no-fund --loglevel=error && touch $@

bench/peer_node_red/node_modules/.installed: bench/peer_node_red/package-lock.json $(VENV)/.dev
	@echo "     installing Node-RED for the bench · 安装基准测试所用的 Node-RED"
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix bench/peer_node_red --no-audit --no-fund --loglevel=error && touch $@

run: $(VENV)/.runtime ## install, migrate, seed the demo, run everything on this machine
	@echo "3/3  starting Fieldloop · 启动 Fieldloop"
	@$(BIN)/python -m app up --demo

up: $(VENV)/.runtime ## run everything on this machine without the demo
	@$(BIN)/python -m app up

story: $(VENV)/.runtime ## in a second terminal: play the demo's story and print each step
	@$(BIN)/python -m app story

day: $(VENV)/.runtime examples/node_modules/.installed ## in a second terminal: play a rep's day, with a real phone's database
	@$(BIN)/python -m app day

test: $(VENV)/.dev examples/node_modules/.installed ## run every test, on both databases and both brokers
	@$(BIN)/python -m pytest -n $${TEST_WORKERS:-2} --dist worksteal

lint: $(VENV)/.dev ## format check and lint
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(VENV)/.dev ## type check
	@$(BIN)/mypy

arch: $(VENV)/.dev ## check the layers
	@$(BIN)/lint-imports

openapi: $(VENV)/.runtime ## write docs/openapi.json
	@$(BIN)/python -m app openapi

check: lint types arch test ## what CI runs
	@$(BIN)/python -m app openapi --check

doctor: $(VENV)/.runtime ## say what is misconfigured, and how to mend it
	@$(BIN)/python -m app doctor

bench: $(VENV)/.dev ## measure speed; prints a table
	@$(MAKE) --no-print-directory examples/node_modules/.installed bench/peer/node_modules/.installed \
	  || echo "     not installed: the bench goes on without the peer · 未安装，基准测试将跳过对照"
	@$(MAKE) --no-print-directory bench/peer_node_red/node_modules/.installed \
	  || echo "     not installed: the bench goes on without Node-RED · 未安装，基准测试将跳过 Node-RED"
	@$(BIN)/python -m bench

soak: $(VENV)/.dev ## the long crash, race and sync tests, then the planted faults (hours)
	@SOAK=1 $(BIN)/python -m pytest tests/faults tests/races tests/sync/test_no_row_skipped.py tests/sync/test_convergence.py tests/http/test_sessions.py \
		--timeout 14400 -n 0 -s
	@$(BIN)/python -m tests.faults.mutants

eval: $(VENV)/.runtime ## run the rules on real data and write docs/quality.md: make eval DATA=<folder>
	@$(BIN)/python -m evaluation $(DATA)

lock: $(VENV)/.dev ## pin requirements.in and requirements-dev.in again
	@for group in "" -dev; do $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements$$group.in -o requirements$$group.txt; done

clean: ## remove the environment and all local data
	@rm -rf $(VENV) var examples/node_modules bench/peer/node_modules bench/peer_node_red/node_modules

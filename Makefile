# Vaka: four targets do the daily work; each sets up what it needs. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench fuzz lock clean

# Tests start the gateway some hundred times: what is compiled is kept, also where a machine says otherwise.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
SERVERS := mosquitto mosquitto-clients victoria-metrics chromium dbus-daemon gcc libc6-dev libmosquitto-dev libcjson-dev sip-tester socat
CORE := tests/unit tests/contract tests/simulation tests/architecture
WHOLE := tests/swarm tests/integration tests/browser

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

demo: ## twenty homes and a scripted evening, with the staff page on localhost
	@scripts/environment requirements.txt
	@exec $(BIN)/vaka demo $(ARGS)

test: ## every test; the coverage of the pure core is reported and has a floor
	@scripts/environment requirements-dev.txt
	@scripts/system-packages $(SERVERS)
	@scripts/node-packages firmware-mocks/lock
	@scripts/node-packages firmware-mocks/vendor-node
	@scripts/node-packages tests/validators
	$(BIN)/pytest $(CORE) -n 2 --dist worksteal --cov --cov-report=term:skip-covered
	$(BIN)/pytest $(WHOLE) -n 3 --dist loadfile --no-loadscope-reorder

check: ## lint, format, types and the arrows between packages
	@scripts/environment requirements-dev.txt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: ## sustained rates and latencies, printed and kept in benchmarks/results
	@scripts/environment requirements-dev.txt
	@scripts/system-packages $(SERVERS)
	$(BIN)/python -m benchmarks.run $(ARGS)
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.flood
	$(BIN)/python -m benchmarks.scaip
	$(BIN)/python -m benchmarks.adapters
	$(BIN)/python -m benchmarks.fhir
	$(BIN)/python -m benchmarks.taps
	$(BIN)/python -m benchmarks.radio
	$(BIN)/python -m benchmarks.edge_radio --minutes $(or $(MINUTES),10)
	$(BIN)/python -m benchmarks.municipality --municipality large --homes 10000 --hours 24

fuzz: ## every family of codecs under a coverage-guided fuzzer, ten minutes each (FAMILY=camera SECONDS=60)
	@scripts/environment requirements-dev.txt
	@scripts/fuzz "$(FAMILY)" "$(SECONDS)"

lock: ## compile both lock files again from pyproject.toml
	@scripts/environment requirements-dev.txt
	@scripts/lock

clean: ## remove the environment, caches and the demo's data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage var

# SPDX-License-Identifier: GPL-3.0-or-later
# `make help` lists what there is. Every target brings its virtual environment up to date first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON := PYTHONPATH=tests .venv/bin/python
GATE := $(PYTHON) -m gate

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: venv
venv: ## .venv, from a cache shared by checkouts (MCPOPS_PYTHON=... picks the interpreter)
	@tests/gate/bootstrap.sh

.PHONY: demo
demo: venv ## from nothing to an answered MCP call, on the local cloud
	@$(PYTHON) -m gate.demo

.PHONY: demo-down
demo-down: venv ## remove everything the demo made: processes, namespaces, mounts, files
	@.venv/bin/localcloud reset

.PHONY: test
test: venv ## the gate: everything that must hold before a change lands
	@$(GATE) --down

.PHONY: test-long
test-long: venv ## everything marked slow, charts of others, and the other core versions (about two hours)
	@MCPOPS_DEADLINE_MINUTES=$${MCPOPS_DEADLINE_MINUTES:-180} $(GATE) --down long long-charts matrix

.PHONY: test-long-charts
test-long-charts: venv ## charts of others: no run changes them, foreign edits are shown and repaired
	@$(GATE) --down long-charts

.PHONY: matrix
matrix: venv ## sanity and unit tests on every supported ansible-core
	@$(GATE) matrix

.PHONY: bench
bench: venv ## benchmarks
	@$(GATE) bench

.PHONY: bench-peer
bench-peer: venv ## ours beside kubernetes.core and a shell runbook: times and drift (leaves the local cloud up)
	@.venv/bin/localcloud up && $(PYTHON) -m bench.peer

.PHONY: lint
lint: venv ## ruff, mypy, yamllint, ansible-lint
	@$(GATE) lint

.PHONY: sanity
sanity: venv ## ansible-test sanity
	@$(GATE) sanity

.PHONY: unit
unit: venv ## unit tests
	@$(GATE) unit

.PHONY: contract
contract: venv ## the local Azure and the MCP client against the SDKs
	@$(GATE) contract

.PHONY: conformance
conformance: venv ## the official MCP suite against the client and the example servers
	@$(GATE) conformance

.PHONY: integration
integration: venv ## modules and playbooks on a real cluster (leaves the local cloud up)
	@$(GATE) integration

.PHONY: molecule
molecule: venv ## a scenario per role (leaves the local cloud up)
	@$(GATE) molecule

.PHONY: docs
docs: venv ## every example in the documentation
	@$(GATE) docs

.PHONY: format
format: venv ## let ruff reformat and fix what it can
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

.PHONY: build
build: venv ## the collection's tarball, in build/
	@.venv/bin/ansible-galaxy collection build --force --output-path build .

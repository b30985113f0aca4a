# SPDX-License-Identifier: GPL-3.0-or-later
# `make help` lists what there is. Every target brings its virtual environment up to date first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON := PYTHONPATH=tests .venv/bin/python
GATE := $(PYTHON) -m gate

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: venv
venv: ## .venv, from a cache shared by checkouts (MCPOPS_PYTHON=... picks the interpreter)
	@tests/gate/bootstrap.sh

.PHONY: demo
demo: venv ## from nothing to an answered MCP call, on the local cloud
	$(call DEMO,demo,true,inventories/local)

.PHONY: demo-full
demo-full: venv ## all that runs on one local cluster: the demo, a mesh whose agents call each other, and a way in
	$(call DEMO,demo-full,localcloud images mesh gateway && localcloud api $(LOCAL_URIS),inventories/local-full)

LOCAL_URIS := $(foreach name,echo calendar words,https://$(name).localcloud.onmicrosoft.com/mcp)

# name, what the registry gets beside what it holds, inventory
define DEMO
	@export PATH="$(CURDIR)/.venv/bin:$$PATH" PYTHONPATH="$(CURDIR)/tests" GOGC=$${GOGC:-400}; SECONDS=0; \
	if localcloud doctor && localcloud up && $(2) && ansible-playbook site.yml -i $(3); then \
	    printf '\n$(1): %s s in all\n' "$$SECONDS"; \
	    echo '$(1): for the commands above: export PATH="$$PWD/.venv/bin:$$PATH"'; \
	else \
	    printf '\n$(1): the last command failed; its reason is above.\n'; \
	    echo '$(1): make $(1) continues where it stopped, make demo-down removes everything.'; exit 1; \
	fi
endef

.PHONY: demo-down
demo-down: venv ## remove everything that a demo made: processes, namespaces, mounts, files
	@.venv/bin/localcloud reset

.PHONY: test
test: venv ## the gate: everything that must hold before a change lands
	@$(GATE) --down

LONG := MCPOPS_DEADLINE_MINUTES=$${MCPOPS_DEADLINE_MINUTES:-180} $(GATE) --down

.PHONY: test-long
test-long: venv ## all of the next line, one total (about two hours)
	@$(LONG) long

test-long-%: venv ## one lane: kubernetes, azure, kmcp, charts (of others), running (ways of), foreign, mesh, gateway, agents, pure, matrix (other cores)
	@$(LONG) long-$*

.PHONY: test-foreign
test-foreign: test-long-foreign ## azure-cli, unmodified, judges the local Azure

.PHONY: matrix
matrix: test-long-matrix ## sanity and unit tests on every supported ansible-core

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

.PHONY: docs-site
docs-site: venv ## the pages of modules, plugins and roles as a site, in build/docs-site
	@$(PYTHON) -m gate.docs_site

.PHONY: format
format: venv ## let ruff reformat and fix what it can
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

.PHONY: build
build: venv ## the collection's tarball, in build/
	@.venv/bin/ansible-galaxy collection build --force --output-path build .

# Everything here is a short way to something that also runs by itself.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev build demo test test-swift test-converters lint bench format clean

MODEL ?= yolov3-tiny
PYTHON := .cache/venv/bin/python
RUFF := .cache/venv/bin/ruff
SWIFT_FILES := Sources Tests Package.swift
SHELL_SCRIPTS := scripts/setup scripts/demo scripts/bench .ci/run
# An import of something that Package.swift does not list is an error.
SWIFT_FLAGS := --explicit-target-dependency-import-check error
# What set-up laid out for this user alone, if it could not do so for the whole machine.
ENV := if [[ -f .cache/env.sh ]]; then . .cache/env.sh; fi;

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 26

setup: ## Install what building and running need
	@scripts/setup

setup-dev:
	@scripts/setup --dev

build: setup ## Build the release binary, .build/release/eyrie
	@$(ENV) swift build -c release --product eyrie $(SWIFT_FLAGS)

demo: ## Detect objects in a street video and receive the events (MODEL=yolov3-tiny|yolov8n)
	@scripts/demo --model $(MODEL)

test: test-swift test-converters ## Run all tests

test-swift: setup-dev
	@$(ENV) swift build --build-tests $(SWIFT_FLAGS) && swift test --skip-build

test-converters: setup-dev
	@cd converters && ../$(PYTHON) -m pytest

lint: setup-dev ## Check style and common mistakes
	swift format lint --strict --recursive $(SWIFT_FILES)
	$(RUFF) check converters scripts
	$(RUFF) format --check converters scripts
	.cache/venv/bin/shellcheck -x $(SHELL_SCRIPTS)

bench: build ## Compare Eyrie's throughput with OpenVINO's own
	@scripts/bench

format: setup-dev ## Rewrite the sources in the house style
	swift format format --in-place --recursive $(SWIFT_FILES)
	$(RUFF) check --fix converters scripts
	$(RUFF) format converters scripts

clean: ## Remove what was built; downloads in .cache stay
	rm -rf .build demo

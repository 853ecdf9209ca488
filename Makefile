# Everything here is a short way to something that also runs by itself.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-convert build demo test test-assets test-swift test-swift-release test-converters test-docker replay-docker lint bench bench-scaling bench-ultralytics bench-live bench-classify bench-parts bench-allocations format clean

MODEL ?= yolov3-tiny
VIDEO ?= .cache/media/bikes.mp4
MODEL_DIR ?= .cache/models/yolov3-tiny
BENCH ?=
ULTRALYTICS ?= python3
CLASSIFIER_DIR ?= models/vit-b-16-openvino
PYTHON := .cache/venv/bin/python
RUFF := .cache/venv/bin/ruff
PYTHON_FILES := converters docker scripts Sources
SWIFT_FILES := Sources Tests Package.swift
SHELL_SCRIPTS := scripts/setup scripts/demo scripts/replay-docker docker/healthcheck .ci/run
# An import of something that Package.swift does not list is an error.
SWIFT_FLAGS := --explicit-target-dependency-import-check error
# swift-testing starts every test at once, hundreds of them for a core, and what is to happen in a second takes a
# minute. Most wait for something: a few for each core keep it as busy.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= $(shell echo $$((4 * $$(getconf _NPROCESSORS_ONLN))))
RELEASE_TESTS := --scratch-path .build-release-tests -Xswiftc -enable-testing
# What set-up laid out for this user alone, if it could not do so for the whole machine.
ENV := if [[ -f .cache/env.sh ]]; then . .cache/env.sh; fi;

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 26

setup: ## Install what building and running need
	@scripts/setup

setup-dev:
	@scripts/setup --dev

setup-convert: ## Install also what converts models from PyTorch (2 GB)
	@scripts/setup --convert

build: setup ## Build the release binary, .build/release/eyrie
	@$(ENV) swift build -c release --product eyrie $(SWIFT_FLAGS)

demo: ## Detect objects in a street video and receive the events (MODEL=yolov3-tiny|yolov8n)
	@scripts/demo --model $(MODEL)

test: test-assets test-swift test-swift-release test-converters test-docker ## Run all tests

# The demo's video and model, for the comparison with an independent reference; skipped tests say so.
test-assets: setup-dev
	@$(PYTHON) -m eyrie_convert fetch bikes --output-dir .cache/media >/dev/null \
	  && $(PYTHON) -m eyrie_convert fetch yolov3-tiny --output-dir .cache/models/yolov3-tiny >/dev/null \
	  || echo "make: without the demo's video and model their tests are skipped"

test-swift: setup-dev
	@$(ENV) swift build --build-tests $(SWIFT_FLAGS) && swift test --skip-build

# Optimised code is what people run, and thousands of frames are decoded here. Its own build folder, since
# testable code is compiled differently.
test-swift-release: setup-dev
	@$(ENV) swift build -c release --build-tests $(SWIFT_FLAGS) $(RELEASE_TESTS) \
	  && swift test -c release --skip-build $(RELEASE_TESTS)

test-converters: setup-convert
	@cd converters && ../.cache/venv-convert/bin/python -m pytest

# Everything that docker/ names exists. After test-swift, which builds the command whose options are looked up.
test-docker: setup-dev
	@$(ENV) cd docker && ../$(PYTHON) -m pytest -q -ra -p no:cacheprovider tests

replay-docker: ## Replay docker/ in a chroot, where there is no container engine (needs root)
	@scripts/replay-docker

lint: setup-dev ## Check style and common mistakes
	swift format lint --strict --recursive $(SWIFT_FILES)
	$(RUFF) check $(PYTHON_FILES)
	$(RUFF) format --check $(PYTHON_FILES)
	.cache/venv/bin/shellcheck -x $(SHELL_SCRIPTS)

bench: build test-assets ## Compare the pipeline with what the machine could do (VIDEO=FILE MODEL_DIR=DIR BENCH=OPTIONS)
	@$(ENV) .build/release/eyrie bench $(VIDEO) --model $(MODEL_DIR) $(BENCH)

bench-scaling: build test-assets ## Measure what each added source costs (VIDEO=FILE MODEL_DIR=DIR)
	@$(ENV) .build/release/eyrie bench $(VIDEO) --model $(MODEL_DIR) --scaling $(BENCH)

bench-ultralytics: build test-assets ## Compare with Ultralytics' predictor (ULTRALYTICS=PYTHON MODEL_DIR=DIR VIDEO=FILE)
	@$(ENV) .build/release/eyrie bench $(VIDEO) --model $(MODEL_DIR) --against ultralytics --python $(ULTRALYTICS) $(BENCH)

bench-live: build test-assets ## Measure how sources share a detector, and latency under overload (MODEL_DIR=DIR)
	@$(ENV) scripts/bench_live.py --model $(MODEL_DIR)

bench-classify: build ## Measure what classifying tracked people costs (MODEL_DIR=DIR CLASSIFIER_DIR=DIR)
	@$(ENV) scripts/bench_classify.py --model $(MODEL_DIR) --classifier $(CLASSIFIER_DIR)

bench-parts: setup ## Time what grows with the objects of a frame, and count what it allocates
	@$(ENV) swift build -c release --product eyrie-measure $(SWIFT_FLAGS) \
	  && .build/release/eyrie-measure times && echo && .build/release/eyrie-measure parts

bench-allocations: setup test-assets ## Count the heap allocations of a frame, by library and place (VIDEO=FILE MODEL_DIR=DIR)
	@$(ENV) swift build -c release --product eyrie-measure $(SWIFT_FLAGS) \
	  && .build/release/eyrie-measure frames $(VIDEO) $(MODEL_DIR) --where 6

format: setup-dev ## Rewrite the sources in the house style
	swift format format --in-place --recursive $(SWIFT_FILES)
	$(RUFF) check --fix $(PYTHON_FILES)
	$(RUFF) format $(PYTHON_FILES)

clean: ## Remove what was built; downloads in .cache stay
	rm -rf .build .build-release-tests demo

# The commands of the project; `make help` lists them. CMake presets stand behind them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help deps demo build test test-gpu bench bench-gpu test-parity install format format-check asan fuzz cuda clean

PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
# Ninja where it is there; CMake's default generator elsewhere.
export CMAKE_GENERATOR ?= $(if $(shell command -v ninja),Ninja,Unix Makefiles)

RELEASE := build/release
CONFIGURE := cmake --preset

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1 \t/p' $(MAKEFILE_LIST) | expand -t 16

deps:  ## install the packages that are missing (Debian and Ubuntu; asks for root only then)
	@cmake/install_dependencies.sh

build: deps  ## the library and the tools, in build/release/bin
	$(CONFIGURE) release $(CMAKE_FLAGS)
	cmake --build $(RELEASE) -j $(JOBS)

demo: deps  ## texture synthesis and Top-K visualization of docs/images/demo.jpg; prints a contact sheet
	$(CONFIGURE) release $(CMAKE_FLAGS)
	cmake --build $(RELEASE) -j $(JOBS) --target synthesize_texture visualize_topk contact_sheet
	@cmake/demo.sh $(RELEASE)/bin

test: build  ## build everything and run every test
	cd $(RELEASE) && ctest --output-on-failure -j $(JOBS)

test-gpu:  ## on a machine with a GPU: build, every test, compute-sanitizer (docs/building.md)
	@tests/gpu/run.sh

bench-gpu:  ## on a machine with a GPU: measured limits, kernels, networks, beside PyTorch where it is installed
	@bench/gpu.sh

bench: build  ## the benchmarks
	cmake --build $(RELEASE) --target benchmarks -j $(JOBS)
	@for bench in $(RELEASE)/bin/*_bench; do $$bench || exit 1; done

test-parity: build  ## compare with PyTorch, where python3 has it
	@tests/parity/run.sh $(RELEASE)/bin

install: build  ## into PREFIX (default /usr/local)
	cmake --install $(RELEASE) --prefix $(PREFIX)

asan: deps  ## build and test under the address and undefined-behaviour sanitizers
	$(CONFIGURE) asan $(CMAKE_FLAGS)
	cmake --build build/asan -j $(JOBS)
	cd build/asan && ctest --output-on-failure -j $(JOBS)

fuzz: deps  ## fuzz the readers of files, FUZZ_SECONDS (60) each, into build/fuzz; needs clang
	$(CONFIGURE) release -DGESTALT_FUZZ=ON $(CMAKE_FLAGS)
	cmake --build $(RELEASE) -j $(JOBS) --target fuzz_decode_image fuzz_read_checkpoint fuzz_read_npy
	@for target in decode_image:images read_checkpoint:checkpoints read_npy:npy; do \
	  name=$${target%:*} && mkdir -p build/fuzz/$$name && \
	  $(RELEASE)/bin/fuzz_$$name -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build/fuzz/ \
	    build/fuzz/$$name tests/fixtures/$${target#*:} || exit 1; \
	done

cuda: deps  ## compile the CUDA backend for sm_90 alone; fails where nvcc or cuDNN is missing
	$(CONFIGURE) cuda $(CMAKE_FLAGS)
	cmake --build build/cuda -j $(JOBS)

SOURCES = $(shell git ls-files '*.h' '*.cpp' '*.cu' '*.cuh')

format:  ## clang-format every source
	clang-format -i $(SOURCES)

format-check: deps  ## fail where clang-format would change something
	clang-format --dry-run --Werror $(SOURCES)

clean:  ## remove build/
	rm -rf build

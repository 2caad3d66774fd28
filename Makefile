# Weir. `make` alone lists the targets.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN     := bin/weir
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# Git may refuse to answer in a clone owned by somebody else (a build as root, a container). The commit is stamped into
# bin/weir only where it answers, so that such a build does not fail.
export GOFLAGS := $(filter-out -buildvcs=%,$(GOFLAGS)) -buildvcs=false
BUILDVCS := $(if $(shell git rev-parse HEAD 2>/dev/null),auto,false)

# Tools are pinned here and not in go.mod, which holds only what ships. Name a binary to skip building one:
#   make check GOLANGCI_LINT=/usr/local/bin/golangci-lint
GOLANGCI_LINT ?= go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOTESTSUM     ?= go run gotest.tools/gotestsum@v1.13.0

PKG        ?= ./...
FUZZTIME   ?= 10s
BENCH      ?= .
BENCHCOUNT ?= 1
DEMO_FLAGS ?=

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/weir (static; VERSION=… names the version)
	CGO_ENABLED=0 go build -buildvcs=$(BUILDVCS) -trimpath -ldflags '-X main.version=$(VERSION)' -o $(BIN) ./cmd/weir

.PHONY: demo
demo: build ## watch a pool steer, fail over and recover (DEMO_FLAGS="--for 20s" ends by itself)
	$(BIN) demo $(DEMO_FLAGS)

.PHONY: test
test: ## run every test; at most four minutes on two cores (PKG=./health/... narrows)
	$(GOTESTSUM) --format pkgname --format-hide-empty-pkg -- -timeout 4m $(PKG)

.PHONY: race
race: ## run the short tests under the race detector, on one and on four threads
	$(GOTESTSUM) --format pkgname --format-hide-empty-pkg -- -race -short -cpu 1,4 -shuffle on -timeout 8m $(PKG)

.PHONY: long
long: ## run large bodies and soaks, then every test ten times in a row
	WEIR_LONG=1 $(GOTESTSUM) --format pkgname --format-hide-empty-pkg -- -count 1 -timeout 60m $(PKG)
	$(GOTESTSUM) --format pkgname --format-hide-empty-pkg -- -count 10 -shuffle on -timeout 60m $(PKG)

.PHONY: check
check: ## vet, lint, check the formatting and the modules
	go mod verify
	go mod tidy -diff
	go vet $(PKG)
	$(GOLANGCI_LINT) run $(PKG)

.PHONY: fmt
fmt: ## format the code (gofumpt)
	$(GOLANGCI_LINT) fmt

.PHONY: fuzz
fuzz: ## run every fuzz target for a while (FUZZTIME=10s each)
	@for pkg in $$(go list $(PKG)); do \
		for target in $$(go test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$pkg"; \
		done; \
	done

.PHONY: bench
bench: ## run the benchmarks (BENCH=Direct PKG=./balancer/ BENCHCOUNT=10, then benchstat)
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(BENCHCOUNT) $(PKG)

.PHONY: clean
clean: ## remove what a build leaves behind
	rm -rf bin cover.*

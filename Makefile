# Two commands matter: `make demo` shows the product, `make test` runs everything that CI runs.
SHELL := /bin/bash
.DEFAULT_GOAL := help

CARGO ?= cargo
FUZZ_SECONDS ?= 60
DEMO_ARGS ?=
PREFIX ?= /usr/local
DESTDIR ?=
LINKS := sidecar querier query-frontend store compactor receiver ruler reloader

bin := $(DESTDIR)$(PREFIX)/bin

.PHONY: help demo test tools lint golden bench fuzz install

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Build, install Prometheus if it is missing, run examples/quickstart.kdl until Ctrl-C (DEMO_ARGS: more flags of `up`)
	@command -v prometheus > /dev/null || .ci/packages prometheus
	$(CARGO) build --package runtime --bin pronoiad
	$(CARGO) build --package compiler --bin pronoia
	.ci/demo $(DEMO_ARGS)

test: tools lint ## Install what is missing, then run everything that CI runs
	.ci/stage "tests" .ci/cargo-test
	.ci/stage "documentation tests" $(CARGO) test --workspace --doc --quiet

tools: ## Install the programs that judge our output (Debian packages, a Python environment below target/)
	.ci/stage "tools" .ci/tools

lint: ## Check format and lints, warnings denied
	.ci/stage "format" $(CARGO) fmt --all --check
	.ci/stage "lints" $(CARGO) clippy --workspace --all-targets --quiet -- --deny warnings

install: ## Build and install pronoia, pronoiad and a link for each component below PREFIX=/usr/local
	$(CARGO) build --release --locked --package compiler --package runtime
	install -d "$(bin)"
	install -m 0755 "$${CARGO_TARGET_DIR:-target}/release/pronoia" "$${CARGO_TARGET_DIR:-target}/release/pronoiad" "$(bin)"
	for name in $(LINKS); do ln -sfn pronoiad "$(bin)/pronoia-$$name"; done

golden: ## Rewrite golden/ from examples/; review the difference
	$(CARGO) run --quiet --package compiler --bin pronoia -- golden --accept

bench: ## Measure the renderer, the reloader, chunks, index, head, queries, the read path and compaction
	$(CARGO) bench --package compiler --bench render
	$(CARGO) bench --package runtime --bench reloader
	$(CARGO) bench --package tsdb --bench chunks
	$(CARGO) bench --package tsdb --bench index
	$(CARGO) bench --package tsdb --bench head
	$(CARGO) bench --package promql --bench ranges
	$(CARGO) bench --package promql --bench joins
	$(CARGO) bench --package query --bench blocks
	$(CARGO) bench --package query --bench dedup
	$(CARGO) bench --package compact --bench merge
	$(CARGO) bench --package compact --bench downsample
	$(CARGO) bench --package runtime --bench promql -- --curves
	$(CARGO) bench --package runtime --bench store
	$(CARGO) bench --package runtime --bench sidecar

fuzz: ## Feed random bytes to every decoder and random topologies to the compiler (FUZZ_SECONDS=60 each); needs cargo-fuzz
	@command -v cargo-fuzz > /dev/null || $(CARGO) install --locked cargo-fuzz
	CARGO="$(CARGO)" .ci/fuzz $(FUZZ_SECONDS)

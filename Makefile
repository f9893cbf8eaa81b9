# Every target explains itself: `make` alone prints the list.
SHELL := /usr/bin/env bash
.DEFAULT_GOAL := help

FUZZTIME ?= 60s
COUNT ?= 6
CLIENTS ?= 20000
DROPS ?= 10000
KILLS ?= 20
FAULTS ?= 60s
NATS ?= 0
SEED ?= 0
BASE ?=

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: check
check: ## Tier 1: format, vet, staticcheck, import rules, unit tests with -race, allocation budgets
	@test/run.sh check

.PHONY: test
test: ## Everything a submission must pass: check, every tier under test/, fuzzing of 10 s a decoder
	@test/run.sh check tiers fuzz

.PHONY: bench
bench: ## Benchmarks to artifacts/bench.txt; BASE=<revision> compares with that revision, COUNT=6 repeats
	@test/bench.sh "$(COUNT)" "$(BASE)"

.PHONY: fuzz
fuzz: ## Fuzz each decoder for FUZZTIME=60s
	@FUZZTIME=$(FUZZTIME) test/run.sh fuzz

.PHONY: soak
soak: ## Let CLIENTS=20000 come, join, emit and go; fails if anything of them is left over
	go test -count=1 -timeout 30m -v -run TestSoak ./test/soak -clients $(CLIENTS)

.PHONY: recovery
recovery: ## Lose DROPS=10000 connections in each configuration of servers; SEED=<number> repeats a plan
	go test -count=1 -timeout 60m -v -run TestDrops ./test/recovery -drops $(DROPS) -seed $(SEED)

.PHONY: kill
kill: ## End servers by SIGKILL, KILLS=20 times, under 300 clients; SEED=<number> repeats a plan, NATS=3 has as many NATS servers outside
	go test -count=1 -timeout 60m -v -run TestKill ./test/kill -kills $(KILLS) -seed $(SEED) -nats $(NATS) -servers 4 -clients 300 -go-clients 24 -rooms 50 -rate 200 -changes 20 -window 30s

.PHONY: faults
faults: ## Depose, kill and cut off servers under 200 clients, FAULTS=60s for each kind of fault; SEED and NATS as for kill
	go test -count=1 -timeout 60m -v -run TestFaults ./test/kill -faults $(FAULTS) -seed $(SEED) -nats $(NATS) -servers 4 -clients 180 -go-clients 24 -rooms 50 -rate 500 -changes 20 -window 30s

.PHONY: matrix
matrix: ## Every client, transport and scenario on three nodes behind HAProxy and nginx; NATS=1 has one NATS server outside
	go test -count=1 -timeout 30m -v -run TestMatrix ./test/cluster -nats $(NATS)

.PHONY: lint
lint: ## Format, vet, staticcheck, shell syntax and import rules only
	@test/run.sh lint

.PHONY: build
build: ## Static binaries of every command, into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$$(git describe --tags --always --dirty)" -o bin/ ./cmd/... ./loadtest/...

.PHONY: run
run: ## The development server with its demo page, on 127.0.0.1:3000
	go run ./cmd/siod dev

.PHONY: cluster
cluster: ## Three nodes with the demo page behind HAProxy, on 127.0.0.1:3000; BASE=4000 for other ports
	@BASE=$(or $(BASE),3000) examples/cluster/run.sh

.PHONY: clean
clean: ## Remove what was built: bin/, artifacts/, .cache/
	rm -rf bin artifacts .cache

# Everything a contributor runs. `make test` is what CI runs.
GO ?= go
SERVERS = nginx apache2 haproxy caddy redis-server memcached mariadb-server postgresql

.PHONY: build test unit lint bench servers scenarios fuzz clean

build: ## the binary, static
	CGO_ENABLED=0 $(GO) build -trimpath -o stickwatch ./cmd/stickwatch

test: servers lint ## everything: installs what the lab needs, checks style, runs all tests
	$(GO) test -timeout 30m ./...

unit: ## the tests that need no server
	$(GO) test -short ./...

race: ## all tests under the race detector
	$(GO) test -race -timeout 40m ./...

lint: ## formatting, vet and modernisation
	@unformatted=$$(gofmt -l cmd probes checks internal); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	$(GO) vet ./...

bench: ## how long a picture takes
	$(GO) test -run '^$$' -bench . -benchtime 10x ./internal/monitor ./probes/...

scenarios: servers ## every scenario on every balancer, as a table
	$(GO) test -count=1 -run TestScenarios -v ./internal/lab

servers: ## the real servers of the lab, where they are missing and can be installed
	@.ci/servers $(SERVERS)

fuzz: ## each fuzz target for a while
	$(GO) test -run '^$$' -fuzz FuzzLabels -fuzztime 30s ./probes/extract
	$(GO) test -run '^$$' -fuzz FuzzParse -fuzztime 30s ./internal/config

clean:
	rm -f stickwatch

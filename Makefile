# Everything a contributor runs. `make test` is what CI runs.
GO ?= go
SERVERS = nginx apache2 haproxy caddy tomcat10 redis-server memcached mariadb-server postgresql chromium prometheus prometheus-alertmanager exim4-daemon-light zabbix-server-pgsql zabbix-frontend-php php-pgsql \
	php-cli:php nodejs:node npm:npm python3-django:django-admin ruby-railties ruby-webrick

.PHONY: build test unit race vet lint lint-all vulncheck bench scenarios operations simulate soak fleet screenshots servers fuzz clean help

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## the binary, static
	CGO_ENABLED=0 $(GO) build -trimpath -o stickwatch ./cmd/stickwatch

test: servers vet ## everything: installs what the lab needs, then runs all tests
	$(GO) test -timeout 30m -parallel 8 ./...

unit: ## the tests that need no server
	$(GO) test -short ./...

race: ## all tests under the race detector
	$(GO) test -race -timeout 40m ./...

vet: ## formatting and vet
	@unformatted=$$(gofmt -l cmd probes checks alerting dashboards internal); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	$(GO) vet ./...

# The tools have a module file of their own: what they need is nothing the
# binary should carry.
TOOLS = .ci/bin
$(TOOLS)/%: .ci/tools.mod
	$(GO) build -modfile=.ci/tools.mod -o $@ $$($(GO) list -modfile=.ci/tools.mod tool | grep '/$*$$')

lint: vet $(TOOLS)/staticcheck $(TOOLS)/gofumpt ## what reviewers would otherwise have to say
	@unformatted=$$($(TOOLS)/gofumpt -l cmd probes checks alerting dashboards internal); test -z "$$unformatted" || { echo "not gofumpt-ed: $$unformatted"; exit 1; }
	$(TOOLS)/staticcheck ./...
	@$(GO) fix -diff ./... | (! grep .) || { echo "go fix would modernise the above"; exit 1; }

lint-all: lint $(TOOLS)/golangci-lint ## with golangci-lint, which takes minutes to build
	$(TOOLS)/golangci-lint run

vulncheck: $(TOOLS)/govulncheck ## needs vuln.go.dev
	$(TOOLS)/govulncheck ./...

bench: ## how long a round takes
	$(GO) test -run '^$$' -bench . -benchtime 10x ./internal/monitor ./probes/...

RUNS ?= 20
TABLE ?= $(CURDIR)/internal/lab/SCENARIOS.md
scenarios: servers ## every scenario behind every balancer RUNS times, as a table
	@STICKWATCH_SCENARIO_RUNS=$(RUNS) STICKWATCH_SCENARIO_TABLE=$(TABLE) \
		$(GO) test -count=1 -timeout 4h -parallel 8 -run TestScenarios ./internal/lab; status=$$?; cat $(TABLE); exit $$status

HOURS ?= 10
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)
simulate: ## HOURS of operations and faults in virtual time, compared with reference users; SEED, CLUSTERS, SCHEDULE, SHRINK=1, PAGE: see CONTRIBUTING.md
	@cd internal/sim && GODEBUG=adaptivestackstart=1 STICKWATCH_SIM_HOURS=$(HOURS) STICKWATCH_SIM_SEED=$(SEED) STICKWATCH_SIM_CLUSTERS=$(CLUSTERS) \
		STICKWATCH_SIM_SCHEDULE=$(abspath $(SCHEDULE)) STICKWATCH_SIM_SHRINK=$(SHRINK) STICKWATCH_SIM_TABLE=$(abspath $(PAGE)) \
		STICKWATCH_SIM_JOBS=$(JOBS) $(GO) test -count=1 -timeout 48h -run '^TestSimulate$$'

# Results are kept line by line: a campaign that was broken off goes on.
OPERATIONS ?= $(CURDIR)/operations.jsonl
operations: servers ## every operation behind every balancer RUNS times, with users, as a table; goes on where it was broken off
	STICKWATCH_OPERATIONS_RUNS=$(RUNS) STICKWATCH_OPERATIONS_LOG=$(OPERATIONS) STICKWATCH_OPERATIONS_TABLE=$(TABLE) \
		$(GO) test -count=1 -timeout 12h -run '^TestOperations$$' ./internal/lab

soak: servers ## HOURS of random faults of targets, disk, receiver and stickwatch itself on real servers; prints what was injected, found, missed, invented and lost
	STICKWATCH_SOAK=$(HOURS)h $(GO) test -count=1 -timeout 0 -v -run '^TestSoak$$' ./internal/lab

TROUBLES ?= 10
fleet: servers ## TROUBLES of three instances with one PostgreSQL: killed, stopped, paused, cut off, without database; prints what was forgotten, doubled and not probed, also of all runs in fleet.jsonl
	STICKWATCH_TROUBLES=$(TROUBLES) STICKWATCH_TROUBLES_FILE=$(CURDIR)/fleet.jsonl $(GO) test -count=1 -timeout 0 -v -run '^TestFleetTroubles$$' ./internal/daemon

screenshots: servers ## pictures of the status page for the README, of a demo that breaks (four minutes)
	mkdir -p internal/docs/images
	STICKWATCH_PICTURES=$(CURDIR)/internal/docs/images $(GO) test -count=1 -timeout 10m -v -run '^TestScreenshots$$' ./internal/daemon

servers: ## the real servers of the lab, where they are missing and can be installed
	@.ci/servers $(SERVERS)

FUZZ = alerting/internal/post:FuzzRetryAfter internal/web:FuzzRequests internal/web:FuzzParseTimestamp \
	probes/engineio:FuzzPackets probes/engineio:FuzzFrames probes/redis:FuzzReplies probes/postgres:FuzzMessages \
	probes:FuzzClean probes:FuzzParseStatus probes/extract:FuzzLabels probes/extract:FuzzNew \
	probes/cookies:FuzzDecode probes/evidence:FuzzNginxLog probes/evidence:FuzzHAProxy probes/evidence:FuzzApacheStatus \
	probes/evidence:FuzzApacheManager probes/evidence:FuzzCaddy internal/config:FuzzParse \
	internal/importer:FuzzNginx internal/importer:FuzzApache internal/importer:FuzzHAProxy internal/importer:FuzzCaddy \
	internal/importer:FuzzTraefik internal/importer:FuzzEnvoy internal/importer:FuzzKubernetes internal/importer:FuzzModJK
fuzz: ## each fuzz target for FUZZTIME
	@set -e; for target in $(FUZZ); do \
		$(GO) test -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$${target%:*}; done
FUZZTIME ?= 30s

clean:
	rm -f stickwatch

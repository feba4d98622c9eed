package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/internal/monitor"
	"stickwatch/internal/panics"
	"stickwatch/internal/render"
	"stickwatch/internal/sleep"
	"stickwatch/probes"
	"stickwatch/probes/engineio"
	"stickwatch/probes/memcached"
	"stickwatch/probes/mysql"
	"stickwatch/probes/postgres"
	"stickwatch/probes/redis"
	"stickwatch/probes/signalr"
)

// newProber returns a prober with all drivers.
func newProber() *monitor.Prober {
	return &monitor.Prober{
		Handshake: handshake,
		Pingers: map[string]probes.Pinger{
			"redis": redis.Ping, "rediss": redis.Ping, "redis+sentinel": redis.PingPrimary, "mysql": mysql.Ping, "mariadb": mysql.Ping,
			"postgres": postgres.Ping, "postgresql": postgres.Ping, "memcached": memcached.Ping,
			"tcp": probes.PingTCP,
		},
	}
}

// handshake performs the handshake of any kind.
func handshake(ctx context.Context, c *probes.Client, r probes.HandshakeRequest) probes.HandshakeObservation {
	if r.Kind == probes.HandshakeSignalR {
		return signalr.Handshake(ctx, c, r)
	}
	return engineio.Handshake(ctx, c, r)
}

// prober returns a prober with the settings of the flags. Until ctx ends it checks whether
// this machine can probe at all.
func (o *probeOptions) prober(ctx context.Context, line *statusLine) *monitor.Prober {
	p := newProber()
	p.Self = monitor.NewSelfCheck()
	panics.Go(panics.Daemon, func() { p.Self.Run(ctx, func(monitor.Impairment) {}) })
	p.Confidence, p.ExpectVersion, p.Progress = o.confidence.value, o.expectVersion, line.unlessWaiting
	for _, code := range o.ignore {
		p.Ignore = append(p.Ignore, checks.Code(code))
	}
	return p
}

// roundsUntil takes one round or, with --wait, rounds until the goals are met or the
// time has passed. It returns the results of the last complete round with its unmet goals.
// complete is false if an interruption left none.
func (o *probeOptions) roundsUntil(ctx context.Context, clusters []*probes.Cluster, line *statusLine) (last render.Results, unmet []gate.Unmet, complete bool) {
	p := o.prober(ctx, line)
	every := cmp.Or(o.interval.value, pollInterval)
	unmet = o.await(ctx, clusters, line, every, func(ctx context.Context) ([]checks.Report, bool) {
		r := takeRounds(ctx, p, clusters)
		if ctx.Err() != nil {
			return nil, false
		}
		last, complete = r, true
		return r.Clusters, true
	})
	return last, unmet, complete
}

// retry calls try at once, after every interval, and a last time when wait has passed,
// until try returns true or ctx ends. It calls waiting before each pause.
func retry(ctx context.Context, wait, interval time.Duration, try func() (done bool), waiting func()) {
	deadline := time.Now().Add(wait)
	for !try() {
		remaining := time.Until(deadline)
		if remaining <= 0 {
			return
		}
		waiting()
		if !sleep.For(ctx, min(interval, remaining)) {
			return
		}
	}
}

// takeRounds takes one round of each cluster, concurrently.
func takeRounds(ctx context.Context, p *monitor.Prober, clusters []*probes.Cluster) render.Results {
	r := render.Results{Started: time.Now(), Clusters: make([]checks.Report, len(clusters))}
	var wg panics.Group
	for i, c := range clusters {
		wg.Go(func() { r.Clusters[i] = checks.Judge(p.Round(ctx, c)) })
	}
	wg.Wait()
	r.Duration = time.Since(r.Started)
	return r
}

// pollInterval is the default interval between two rounds of --wait.
const pollInterval = 2 * time.Second

// takeAwaitedNodes moves the values of --node that are not ID=URL to awaitedNodes:
// `--wait 2m --node node2` waits for a node. If no value is left, the flag counts as not
// given.
func (o *probeOptions) takeAwaitedNodes(cmd *cobra.Command) {
	if !cmd.Flags().Changed("wait") {
		return
	}
	isID := func(value string) bool { return !strings.ContainsAny(value, "=:/") && !isEmptyValue(value) }
	var described []string
	for _, value := range o.clusters.quick.Nodes {
		if isID(value) {
			o.awaitedNodes = append(o.awaitedNodes, value)
		} else {
			described = append(described, value)
		}
	}
	o.clusters.quick.Nodes = described
	cmd.Flags().Lookup("node").Changed = len(described) > 0
}

// unknownNodes returns an error for each node that no cluster has.
func unknownNodes(flag string, nodes []string, clusters []*probes.Cluster) error {
	var known []string
	for _, c := range clusters {
		for _, n := range c.Nodes {
			known = append(known, n.ID)
		}
	}
	var errs []error
	for _, node := range nodes {
		if !slices.Contains(known, node) && len(clusters) > 0 {
			errs = append(errs, fmt.Errorf("--%s: there is no node %q: known nodes: %s", flag, node, strings.Join(known, ", ")))
		}
	}
	return errors.Join(errs...)
}

// goals returns the goals of --wait.
func (o *probeOptions) goals() []gate.Goal {
	goal := gate.Goal{Version: o.expectVersion, FailOn: o.failOn.value}
	if len(o.awaitedNodes) == 0 {
		return []gate.Goal{goal}
	}
	var list []gate.Goal
	for _, node := range o.awaitedNodes {
		goal.Node = node
		list = append(list, goal)
	}
	return list
}

// unmet returns the unmet goals of the reports, without duplicates.
func (o *probeOptions) unmet(clusters []*probes.Cluster, reports []checks.Report) []gate.Unmet {
	var list []gate.Unmet
	for i, r := range reports {
		for _, goal := range o.goals() {
			for _, unmet := range goal.Unmet(clusters[i], r) {
				if !slices.ContainsFunc(list, unmet.Same) {
					list = append(list, unmet)
				}
			}
		}
	}
	return list
}

// awaited describes the goals for the progress line.
func (o *probeOptions) awaited() string {
	switch {
	case len(o.awaitedNodes) > 0 && o.expectVersion != "":
		return o.reader().Translate("waiting for %s on %s", o.expectVersion, strings.Join(o.awaitedNodes, ", "))
	case len(o.awaitedNodes) > 0:
		return o.reader().Translate("waiting for %s", strings.Join(o.awaitedNodes, ", "))
	case o.expectVersion != "":
		return o.reader().Translate("waiting for version %s", o.expectVersion)
	default:
		return o.reader().Translate("waiting until healthy")
	}
}

// await calls report at once and after every interval, until all goals are met or the
// time of --wait has passed, and shows the unmet goals meanwhile. It returns those of the
// last complete reports.
func (o *probeOptions) await(
	ctx context.Context, clusters []*probes.Cluster, line *statusLine, every time.Duration,
	report func(context.Context) (reports []checks.Report, complete bool),
) (unmet []gate.Unmet) {
	end := time.Now().Add(o.wait.value)
	try := func() (done bool) {
		reports, complete := report(ctx)
		if !complete {
			return true
		}
		unmet = o.unmet(clusters, reports)
		return len(unmet) == 0
	}
	retry(ctx, o.wait.value, every, try, func() {
		line.wait(o.reader().Translate("%s: %s", o.awaited(), o.reasons(unmet)), time.Until(end))
	})
	return unmet
}

// waited returns the last line of a wait: the unmet goals, or the nodes that are out of
// rotation although --fail-on accepts that; "" if there are none.
func (o *probeOptions) waited(clusters []*probes.Cluster, reports []checks.Report, unmet []gate.Unmet) string {
	if len(unmet) > 0 {
		return o.reader().Translate("not met after %s: %s", o.wait.value, o.reasons(unmet))
	}
	var out []string
	for i, r := range reports {
		for _, node := range gate.OutOfRotation(clusters[i], r) {
			text := node.In(o.reader())
			if len(reports) > 1 {
				text = r.Cluster + " " + text
			}
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return o.reader().Translate("the conditions of --wait are met; out of rotation: %s", strings.Join(out, ", "))
}

func (o *probeOptions) reasons(unmet []gate.Unmet) string {
	var list []string
	for _, u := range unmet {
		list = append(list, u.Reason.In(o.reader()))
	}
	return strings.Join(list, o.reader().Translate("; "))
}

// waitStatus returns the exit status of a wait. It is inconclusive if all unmet goals
// are unknown.
func waitStatus(unmet []gate.Unmet) int {
	switch {
	case len(unmet) == 0:
		return exitOK
	case slices.ContainsFunc(unmet, func(u gate.Unmet) bool { return !u.Unknown }):
		return exitFinding
	default:
		return exitInconclusive
	}
}

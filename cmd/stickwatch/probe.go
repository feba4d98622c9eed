package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/checks"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
	"stickwatch/probes/engineio"
	"stickwatch/probes/memcached"
	"stickwatch/probes/mysql"
	"stickwatch/probes/postgres"
	"stickwatch/probes/redis"
)

// probeOptions are the flags of probe.
type probeOptions struct {
	clusters clusterFlags

	failOn        string
	ignore        []string
	expectVersion string
	confidence    float64
	output        string
	timeout       time.Duration
	wait          time.Duration
	interval      time.Duration
}

func newProbe(c console) *cobra.Command {
	var o probeOptions
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Take one picture of a cluster and say what is wrong",
		Long: `probe asks every node directly and through the balancer, sends canaries (sessions
of its own) to every node it can reach, sees whether they stay, and prints the
picture with every finding, its evidence and its remedy.

Exit status:
  0  nothing at or above --fail-on
  1  a finding at or above it
  2  wrong usage or configuration; nothing was probed
  3  inconclusive: the picture could not be taken, or the evidence asked for
     cannot be had`,
		Example: `  stickwatch probe
  stickwatch probe -c stickwatch.yml --cluster shop -o json
  stickwatch probe --balancer http://10.0.0.9 --node node1=http://10.0.0.1:8080 --node node2=http://10.0.0.2:8080 --profile tomcat
  stickwatch probe --wait 2m --expect-version 4.2 --fail-on warning`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd, c) },
	}
	o.clusters.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.failOn, "fail-on", "critical", "exit 1 for findings of this severity or a higher one: critical, warning")
	flags.StringArrayVar(&o.ignore, "ignore", nil, "do not make findings of this `code`; repeatable (see: stickwatch help findings)")
	flags.StringVar(&o.expectVersion, "expect-version", "", "every node must run this `version`")
	flags.Float64Var(&o.confidence, "confidence", monitor.DefaultConfidence, "how surely chance must be excluded, above 0.5 and below 1")
	flags.StringVarP(&o.output, "output", "o", "table", strings.Join(formats, ", "))
	flags.DurationVar(&o.timeout, "timeout", 0, "of one request (default 5s, or what the file says)")
	flags.DurationVar(&o.wait, "wait", 0, "try again until healthy, for so long at most")
	flags.DurationVar(&o.interval, "interval", 2*time.Second, "between two tries of --wait")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions([]string{"critical", "warning"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o *probeOptions) run(cmd *cobra.Command, c console) error {
	if err := o.validate(cmd); err != nil {
		return err
	}
	clusters, err := o.clusters.load(cmd)
	if err != nil {
		return err
	}
	if o.timeout > 0 {
		for _, cluster := range clusters {
			cluster.Limits.Timeout = o.timeout
		}
	}
	line := newStatusLine(c)
	prober := o.prober(line)
	r := takeUntil(cmd.Context(), prober, clusters, o, line)
	line.clear()
	if cmd.Context().Err() != nil {
		fmt.Fprintln(c.err, "stickwatch: interrupted")
		return exitError(exitInconclusive)
	}
	opts := terminalOptions(c.out, c.environ)
	opts.FailOn, opts.Clusters = checks.Severity(o.failOn), clusters
	if err := render(c.out, o.output, r, opts); err != nil {
		fmt.Fprintf(c.err, "stickwatch: writing the result: %v\n", err)
		return exitError(exitInconclusive)
	}
	return exitError(exitStatus(r.Clusters, opts.FailOn))
}

// validate tells everything that is wrong with the flags at once.
func (o *probeOptions) validate(cmd *cobra.Command) error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.failOn != "critical" && o.failOn != "warning" {
		wrong("--fail-on: got %q, want critical or warning", o.failOn)
	}
	if !slices.Contains(formats, o.output) {
		wrong("--output: got %q, want one of %s", o.output, strings.Join(formats, ", "))
	}
	if !(o.confidence > 0.5 && o.confidence < 1) {
		wrong("--confidence: got %v, want a number above 0.5 and below 1, such as 0.999", o.confidence)
	}
	for _, code := range o.ignore {
		if !checks.Known(checks.Code(code)) {
			wrong("--ignore: there is no finding %q: see stickwatch help findings", code)
		}
	}
	for name, d := range map[string]time.Duration{"timeout": o.timeout, "wait": o.wait, "interval": o.interval} {
		if cmd.Flags().Changed(name) && d <= 0 {
			wrong("--%s: got %s, want a duration above zero, such as 10s", name, d)
		}
	}
	return errors.Join(errs...)
}

func (o *probeOptions) prober(line *statusLine) *monitor.Prober {
	p := newProber()
	p.Confidence, p.ExpectVersion, p.Progress = o.confidence, o.expectVersion, line.show
	for _, code := range o.ignore {
		p.Ignore = append(p.Ignore, checks.Code(code))
	}
	return p
}

// newProber returns a prober that speaks every protocol there is a client for.
func newProber() *monitor.Prober {
	return &monitor.Prober{
		Handshake: engineio.Handshake,
		Pingers: map[string]probes.Pinger{
			"redis": redis.Ping, "rediss": redis.Ping, "mysql": mysql.Ping, "mariadb": mysql.Ping,
			"postgres": postgres.Ping, "postgresql": postgres.Ping, "memcached": memcached.Ping,
			"tcp": probes.PingTCP,
		},
	}
}

// takeUntil takes one picture, or as many as --wait gives time for until one is
// good enough.
func takeUntil(ctx context.Context, p *monitor.Prober, clusters []*probes.Cluster, o *probeOptions, line *statusLine) results {
	deadline := time.Now().Add(o.wait)
	for {
		r := take(ctx, p, clusters)
		if exitStatus(r.Clusters, checks.Severity(o.failOn)) == exitOK || time.Now().Add(o.interval).After(deadline) {
			return r
		}
		line.say("waiting until healthy: " + waitsFor(r))
		select {
		case <-ctx.Done():
			return r
		case <-time.After(o.interval):
		}
	}
}

// take takes one picture of all clusters, side by side.
func take(ctx context.Context, p *monitor.Prober, clusters []*probes.Cluster) results {
	r := results{Started: time.Now(), Clusters: make([]checks.Report, len(clusters))}
	var wg sync.WaitGroup
	for i, c := range clusters {
		wg.Go(func() { r.Clusters[i] = checks.Judge(p.Round(ctx, c)) })
	}
	wg.Wait()
	r.Duration = time.Since(r.Started)
	r.Verdict = worst(r.Clusters)
	return r
}

// waitsFor names what stands between the clusters and their health.
func waitsFor(r results) string {
	var reasons []string
	for _, c := range r.Clusters {
		for _, f := range c.Findings {
			if f.ExplainedBy == "" && f.Severity.AtLeast(checks.Warning) {
				reasons = append(reasons, f.Summary)
			}
		}
		reasons = append(reasons, c.Doubts...)
	}
	return strings.Join(reasons, "; ")
}

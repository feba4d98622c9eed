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
	"stickwatch/internal/phrase"
	"stickwatch/internal/render"
	"stickwatch/probes"
)

// probeOptions are the flags of probe.
type probeOptions struct {
	clusters     clusterFlags
	watch        watchOptions
	awaitedNodes []string // nodes that --wait waits for

	failOn        setting[checks.Severity]
	ignore        []string
	expectVersion string
	confidence    setting[float64]
	timeout       setting[time.Duration] // 0: from the file
	wait          setting[time.Duration] // 0: one round
	interval      setting[time.Duration] // 0: 2 s for --wait, 250 ms for --watch
	language      languageFlag
	output        setting[string]
}

func newProbeOptions() *probeOptions {
	return &probeOptions{
		failOn:     newSetting("critical", oneOf([]checks.Severity{checks.Critical, checks.Warning})),
		confidence: newSetting(fmt.Sprint(checks.DefaultConfidence), confidence),
		timeout:    newSetting("", atLeast(100*time.Millisecond)),
		wait:       newSetting("", atLeast(0)),
		interval:   newSetting("", atLeast(100*time.Millisecond)),
		watch:      newWatchOptions(),
		language:   newLanguageFlag(),
		output:     newSetting(formats[0], oneOf(formats)),
	}
}

func newProbe(c console) *cobra.Command {
	o := newProbeOptions()
	cmd := &cobra.Command{
		Use:   "probe [flags] [-- COMMAND...]",
		Short: "Check a cluster once and report what is wrong",
		Long: `probe sends requests to every node directly and through the balancer, opens
canaries (sessions of its own) on every node, checks whether they stay there,
and prints a report with all findings, their evidence and remedies. It changes
nothing. Its sessions expire by themselves.

With --watch it watches sessions during a deployment. The first line of the
report states how many sessions were lost. Below it are all moves and losses
with their causes, and the outages. With a command (--watch -- COMMAND...) the
watch ends one second after the command exits. Both output streams of the
command go to standard error. If the command fails, probe exits with its status.
With --wait, the watch continues until the cluster is healthy again.

Results go to standard output, progress to standard error. Exit status:
  0    no finding at or above --fail-on
  1    a finding at or above it, a guarantee that was broken during --watch, or
       a condition of --wait that was not met in time
  2    wrong usage or configuration; nothing was probed
  3    inconclusive: no report could be made, or the demanded evidence is
       unavailable
  130  interrupted (Ctrl-C); 143 when terminated

With --output nagios, the exit status is that of a plugin of Nagios and Icinga:
0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (inconclusive, or any error).`,
		Example: `  # the clusters of stickwatch.yml
  stickwatch probe
  # a deployment gate: wait up to two minutes until 4.2 runs on all nodes
  stickwatch probe --wait 2m --expect-version 4.2 --fail-on warning
  # wait until node2 is healthy and in rotation again
  stickwatch probe --wait 1m --node node2
  # did a deployment lose sessions?
  stickwatch probe --watch --wait 2m -- ./deploy.sh 4.2
  # the same; any lost session fails, even if the policy allows it
  stickwatch probe --watch --fail-on-loss -- ./deploy.sh 4.2
  # are the users of node2 safe while it is drained?
  stickwatch probe --watch 10m --drain node2
  # without a file; nodes in the order of the balancer's server lines
  stickwatch probe --balancer http://10.0.0.9 --profile tomcat \
      --node node1=http://10.0.0.1:8080 --node node2=http://10.0.0.2:8080
  # for a CI server, for Nagios and Icinga, and for programs
  stickwatch probe -o junit > stickwatch.xml
  stickwatch probe --cluster shop -o nagios
  stickwatch probe --cluster shop -o json | jq '.clusters[].findings[].code'`,
		Args: o.watch.takeArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd, c) },
	}
	o.register(cmd)
	return cmd
}

func (o *probeOptions) register(cmd *cobra.Command) {
	o.clusters.register(cmd)
	flags := cmd.Flags()
	flags.Var(&o.failOn, "fail-on", "exit 1 for findings of this `SEVERITY` and above: critical, warning")
	flags.StringArrayVar(&o.ignore, "ignore", nil, "ignore findings of this `CODE`; repeatable (see: stickwatch help findings)")
	flags.StringVar(&o.expectVersion, "expect-version", "", "every node must run this `VERSION`")
	flags.Var(&o.confidence, "confidence", "confidence of statements about sessions and rotation, a `NUMBER` above 0.5 and below 1 (see: stickwatch help decisions)")
	flags.Var(&o.timeout, "timeout", "timeout of one request, a `DURATION` (default 5s, or the file's)")
	flags.Var(&o.wait, "wait", "wait up to this `DURATION` until there is no finding at or above --fail-on, --expect-version runs and --node NODE is in rotation; then print the last report")
	flags.Var(&o.interval, "interval", "interval of the rounds of --wait (default 2s) or of the requests of a client of --watch (default 250ms), a `DURATION`")
	o.watch.register(cmd)
	o.language.register(cmd)
	flags.VarP(&o.output, "output", "o", "a `FORMAT`: "+joinWords(formats))
	explain(cmd, fileSection, clusterSection,
		section{"Criteria", []string{"fail-on", "ignore", "expect-version", "confidence"}},
		section{"Timing", []string{"timeout", "wait", "watch", "interval"}},
		watchSection,
		section{"Output", []string{"language", "output"}})

	completeFlagNames(cmd, "node", namesOfNodes) // --wait accepts the ids of nodes
	completeFlagNames(cmd, "drain", namesOfNodes)
	completeFlag(cmd, "output", formats...)
	completeFlag(cmd, "fail-on", "critical", "warning")
	var known []string
	for _, e := range checks.Catalogue {
		known = append(known, string(e.Code)+"\t"+e.Condition)
	}
	completeFlag(cmd, "ignore", known...)
}

// suggestCall returns the call that an argument of probe was probably meant for.
func suggestCall(arg string) string {
	switch {
	case strings.Contains(arg, "://"):
		return "stickwatch probe --balancer " + arg + " --node ID=URL --node ID=URL"
	case strings.HasSuffix(arg, ".yml"), strings.HasSuffix(arg, ".yaml"):
		return "stickwatch probe -c " + arg
	default:
		return "stickwatch probe --cluster " + arg
	}
}

func (o *probeOptions) run(cmd *cobra.Command, c console) error {
	o.takeAwaitedNodes(cmd)
	clusters, err := o.clusters.load(cmd)
	if err := errors.Join(o.validate(cmd), err, o.unknownNodes(clusters)); err != nil {
		return err
	}
	for _, cluster := range clusters {
		o.applyTimeout(&cluster.Limits)
	}
	if o.watch.asked {
		return o.runWatch(cmd, c, clusters)
	}
	ctx, stop := untilInterrupted(cmd.Context())
	defer stop()
	line := newStatusLine(c)
	line.reader = o.reader()
	results, unmet, complete := o.roundsUntil(ctx, clusters, line)
	line.clear()
	if complete {
		opts := terminalOptions(c.out, c.environ)
		opts.FailOn, opts.Clusters, opts.Reader = o.failOn.value, clusters, o.reader()
		if err := writeResults(c.out, o.output.value, results, opts); err != nil {
			return fmt.Errorf("writing the result: %w", err)
		}
	}
	if cause, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
		return exitError{cause.status(), cause}
	}
	if o.wait.value > 0 {
		line.printAfter(o.waited(clusters, results.Clusters, unmet))
	}
	if o.output.value == nagiosFormat {
		return exitError{status: int(results.Nagios())}
	}
	return exitError{status: o.status(results, unmet)}
}

// reader returns the reader of texts.
func (o *probeOptions) reader() phrase.Reader { return o.language.reader(o.clusters.configured) }

// status returns the exit status. If --wait waits for nodes, the others do not matter.
func (o *probeOptions) status(r render.Results, unmet []gate.Unmet) int {
	switch {
	case o.wait.value == 0:
		return exitStatus(r.Clusters, o.failOn.value)
	case len(o.awaitedNodes) > 0:
		return waitStatus(unmet)
	default:
		return cmp.Or(exitStatus(r.Clusters, o.failOn.value), waitStatus(unmet))
	}
}

// unknownNodes returns an error for each named node that no cluster has.
func (o *probeOptions) unknownNodes(clusters []*probes.Cluster) error {
	var drained []string
	if o.watch.drain != "" {
		drained = []string{o.watch.drain}
	}
	return errors.Join(unknownNodes("node", o.awaitedNodes, clusters), unknownNodes("drain", drained, clusters))
}

// validate returns all errors in the flags at once.
func (o *probeOptions) validate(cmd *cobra.Command) error {
	errs := []error{
		o.failOn.usageError("fail-on"), o.confidence.usageError("confidence"), o.timeout.usageError("timeout"),
		o.wait.usageError("wait"), o.watch.validate(cmd), o.interval.usageError("interval"), o.language.usageError("language"), o.output.usageError("output"),
	}
	for _, code := range o.ignore {
		if !checks.Known(checks.Code(code)) {
			err := unknown("finding", code, codes(), "stickwatch help findings")
			errs = append(errs, fmt.Errorf("--ignore: %w", err))
		}
	}
	if cmd.Flags().Changed("expect-version") && isEmptyValue(o.expectVersion) {
		errs = append(errs, emptyFlag("expect-version"))
	}
	if programs := []string{"json", "junit", "prometheus"}; cmd.Flags().Changed("language") && slices.Contains(programs, o.output.value) {
		errs = append(errs, fmt.Errorf("--language: %s is for programs and has no language", o.output.value))
	}
	if (o.watch.asked || o.wait.value > 0) && o.output.value == nagiosFormat {
		errs = append(errs, errors.New("--output nagios is for one round: omit --watch and --wait"))
	}
	return errors.Join(errs...)
}

// applyTimeout applies --timeout. As in a file, slow is never longer than the timeout.
func (o *probeOptions) applyTimeout(limits *probes.Limits) {
	if o.timeout.value > 0 {
		limits.Timeout = o.timeout.value
		limits.Slow = min(limits.Slow, limits.Timeout)
	}
}

// codes returns the codes of all findings.
func codes() []string {
	var all []string
	for _, e := range checks.Catalogue {
		all = append(all, string(e.Code))
	}
	return all
}

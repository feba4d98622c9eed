package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/daemon"
	"stickwatch/internal/demo"
	"stickwatch/internal/panics"
	"stickwatch/internal/phrase"
	"stickwatch/internal/render"
	"stickwatch/internal/sleep"
	"stickwatch/probes"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	faults   []string
	scenario string // "": none
	list     bool
	rounds   setting[int] // 0: serve until interrupted
	interval setting[time.Duration]
	every    setting[time.Duration]
	listen   string
	language languageFlag
}

func newDemo(c console) *cobra.Command {
	options := demoOptions{
		rounds:   newSetting("", parseCount),
		interval: newSetting("3s", atLeast(100*time.Millisecond)),
		every:    newSetting("30s", atLeast(time.Second)),
		language: newLanguageFlag(),
	}
	cmd := &cobra.Command{
		Use:   "demo [flags]",
		Short: "Monitor a demo cluster with faults on this machine",
		Long: `demo starts three nodes and a balancer in this process, on free loopback ports,
and monitors them as serve does, with a status page at http://127.0.0.1:9748/.
It prints a link that gives a browser write access to the page. After eight
seconds the balancer begins to mix up sessions; other faults follow, with
healthy periods between them, until it is interrupted (Ctrl-C). Each lasts for
--every; node-hanging, node-endless and slow last for a minute at least, which
it takes to prove them. With --fault, that fault begins after eight seconds,
and stays. With --scenario it plays an operation, such as a rolling restart,
again and again. demo uses loopback only and removes its files when it ends.

With --rounds it prints a number of reports, as probe does, instead of serving.
The faults of --fault begin at once then.

It exits 0 whatever it finds.`,
		Example: `  stickwatch demo
  # the faults, and their effects
  stickwatch demo --list
  stickwatch demo --fault redis-down
  stickwatch demo --scenario scale-out
  stickwatch demo --fault drift --rounds 1`,
		Args: noArguments(func(arg string) string { return "stickwatch demo --fault " + arg }),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := options.validate(cmd); err != nil {
				return err
			}
			if options.list {
				return listFaults(c.out, options.language.reader(nil))
			}
			return options.run(cmd.Context(), c)
		},
	}
	options.register(cmd)
	return cmd
}

func (o *demoOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&o.faults, "fault", nil, "inject the fault of this `NAME`; repeatable")
	flags.StringVar(&o.scenario, "scenario", "", "play the operation of this `NAME` instead of faults")
	flags.BoolVar(&o.list, "list", false, "list the names of faults and scenarios")
	flags.Var(&o.every, "every", "`DURATION` of each fault, and of the healthy period after it, without --fault")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:9748", "listen on this `HOST:PORT`; port 0 is a free one")
	flags.Var(&o.rounds, "rounds", "print this `NUMBER` of reports instead of serving")
	flags.Var(&o.interval, "interval", "`DURATION` between two reports of --rounds")
	o.language.register(cmd)
	explain(cmd,
		section{"Faults", []string{"fault", "scenario", "list", "every"}},
		section{"Output", []string{"listen", "rounds", "interval", "language"}})
	var known []string
	for _, f := range demo.Faults() {
		known = append(known, f.Name+"\t"+f.Description)
	}
	completeFlag(cmd, "fault", known...)
	var scenarios []string
	for _, s := range demo.Scenarios() {
		scenarios = append(scenarios, s.Name+"\t"+s.Description)
	}
	completeFlag(cmd, "scenario", scenarios...)
}

func (o *demoOptions) validate(cmd *cobra.Command) error {
	var known []string
	for _, f := range demo.Faults() {
		known = append(known, f.Name)
	}
	errs := []error{o.rounds.usageError("rounds"), o.interval.usageError("interval"), o.every.usageError("every"), o.language.usageError("language"), badAddress("listen", o.listen)}
	for _, name := range o.faults {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("--fault: %w", unknown("fault", name, known, "stickwatch demo --list")))
		}
	}
	switch {
	case o.scenario != "":
		errs = append(errs, o.scenarioError())
	case cmd.Flags().Changed("scenario"):
		errs = append(errs, emptyFlag("scenario"))
	}
	return errors.Join(errs...)
}

func (o *demoOptions) scenarioError() error {
	var known []string
	for _, s := range demo.Scenarios() {
		known = append(known, s.Name)
	}
	switch {
	case !slices.Contains(known, o.scenario):
		return fmt.Errorf("--scenario: %w", unknown("scenario", o.scenario, known, "stickwatch demo --list"))
	case len(o.faults) > 0 || o.rounds.value > 0:
		return errors.New("--scenario: it cannot be combined with --fault or --rounds, because it takes minutes on a healthy cluster")
	default:
		return nil
	}
}

// listFaults lists the faults and the scenarios.
func listFaults(w io.Writer, reader phrase.Reader) error {
	var b strings.Builder
	for _, f := range demo.Faults() {
		fmt.Fprintf(&b, "%-18s %s\n", f.Name, reader.Translate(f.Description))
	}
	b.WriteString("\n" + reader.Translate("Scenarios, for --scenario:") + "\n")
	for _, s := range demo.Scenarios() {
		fmt.Fprintf(&b, "%-18s %s\n", s.Name, reader.Translate(s.Description))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (o *demoOptions) run(parent context.Context, c console) error {
	cluster, err := demo.Start(demo.Config{Shared: slices.ContainsFunc(o.injected(), func(f demo.Fault) bool { return f.Shared })})
	if err != nil {
		return exitError{exitInconclusive, err}
	}
	defer cluster.Close()
	if o.rounds.value == 0 {
		return o.serve(parent, c, cluster)
	}
	introduce(c.err, cluster, o.language.reader(nil))
	cfg, err := o.configOf(cluster, "")()
	if err != nil {
		return err
	}
	for _, name := range o.faults {
		if err := cluster.Break(name); err != nil {
			return exitError{exitInconclusive, err}
		}
	}
	return o.watch(parent, c, cfg.Clusters)
}

// introduce prints where the cluster is.
func introduce(w io.Writer, cluster *demo.Cluster, reader phrase.Reader) {
	fmt.Fprintln(w, reader.Translate("A cluster of three nodes runs behind %s. Press Ctrl-C to end it.", cluster.Balancer.URL()))
	fmt.Fprintf(w, "%s\n  stickwatch probe \\\n    %s\n\n", reader.Translate("To probe it yourself:"), strings.Join(demoFlags(cluster), " \\\n    "))
}

// watch prints a report for each round. An interruption ends it without an error.
func (o *demoOptions) watch(parent context.Context, c console, watched []*probes.Cluster) error {
	ctx, stop := untilInterrupted(parent)
	defer stop()
	opts := terminalOptions(c.out, c.environ)
	opts.Clusters, opts.Reader = watched, o.language.reader(nil)
	p, line := newProber(), newStatusLine(c)
	line.reader = opts.Reader
	p.Progress = line.show
	for n := 1; ; n++ {
		r := takeRounds(ctx, p, watched)
		line.clear()
		if ctx.Err() != nil {
			return nil
		}
		if err := render.Report(c.out, "table", r, opts); err != nil {
			return err
		}
		if n == o.rounds.value || !sleep.For(ctx, o.interval.value) {
			return nil
		}
		fmt.Fprintln(c.out)
	}
}

// serve runs a daemon for the cluster, as the command serve does, while faults come and
// go.
func (o *demoOptions) serve(parent context.Context, c console, cluster *demo.Cluster) error {
	folder, err := os.MkdirTemp("", "stickwatch-demo-")
	if err != nil {
		return exitError{exitInconclusive, err}
	}
	defer func() { _ = os.RemoveAll(folder) }()
	server := serveOptions{logFormat: newSetting("text", oneOf([]string{"text"})), logLevel: newSetting("info", logLevel)}
	log := server.openLog(c.err)
	ctx, stop := context.WithCancel(parent)
	var faults panics.Group
	defer faults.Wait()
	defer stop()
	show := &announcement{logger: log.Logger}
	server.announcement, server.newClients = show.in, demoNewClients
	return server.serve(ctx, c, log, o.configOf(cluster, folder), func(d *daemon.Daemon) error {
		show.mu.Lock()
		show.changed = d.Announce
		show.mu.Unlock()
		switch {
		case o.scenario != "":
			faults.Go(func() { o.playScenario(ctx, cluster, show) })
		case len(o.faults) > 0:
			faults.Go(func() { o.injectFaults(ctx, cluster, show) })
		default:
			faults.Go(func() { o.cycleFaults(ctx, cluster, show) })
		}
		reader := o.language.reader(nil)
		fmt.Fprintln(log.out, reader.Translate("Status page: %s", pageURL(d.Address(), "")))
		link, err := d.Link(demoLink)
		fmt.Fprintf(log.out, "%s\n  %s\n\n", reader.Translate("This link gives a browser write access to it:"), link)
		introduce(log.out, cluster, reader)
		return err
	})
}

// demoNewClients is how often the demo opens sessions while all is well, because many faults are
// visible only to clients without a session.
const demoNewClients = 5 * time.Second

// demoLink is the lifetime of the link that gives a browser write access.
const demoLink = 24 * time.Hour

// firstFault is the time until the first fault: long enough to see the cluster healthy.
const firstFault = 8 * time.Second

// injectFaults injects the faults of --fault, which stay. They begin after a healthy time, because
// a restart, or an older state of a session, is visible only to who saw the time before.
func (o *demoOptions) injectFaults(ctx context.Context, cluster *demo.Cluster, show *announcement) {
	show.set(phrase.New("Demo: no fault for %s; then fault %s begins.", firstFault, strings.Join(o.faults, ", ")))
	if !sleep.For(ctx, firstFault) {
		return
	}
	for _, f := range o.injected() {
		show.inject(cluster, f)
	}
}

// cycleFaults injects one fault after the other, each for --every. It begins with the one
// that other monitors do not see.
func (o *demoOptions) cycleFaults(ctx context.Context, cluster *demo.Cluster, show *announcement) {
	faults := demo.Faults()
	faults = slices.DeleteFunc(faults, func(f demo.Fault) bool { return f.Shared })
	i := slices.IndexFunc(faults, func(f demo.Fault) bool { return f.Name == "drift" })
	faults = slices.Concat(faults[i:i+1], faults[:i], faults[i+1:])
	for sleep.For(ctx, firstFault) {
		for _, f := range faults {
			show.inject(cluster, f)
			long := o.every.value
			if f.Waits {
				long = max(long, time.Minute)
			}
			if !sleep.For(ctx, long) {
				return
			}
			show.removed(f)
			if err := cluster.Heal(); err != nil {
				show.logger.Error("the demo", "err", fmt.Errorf("after %q: %w", f.Name, err))
			}
			if !sleep.For(ctx, o.every.value) {
				return
			}
		}
	}
}

// playScenario plays a scenario again and again.
func (o *demoOptions) playScenario(ctx context.Context, cluster *demo.Cluster, show *announcement) {
	i := slices.IndexFunc(demo.Scenarios(), func(s demo.Scenario) bool { return s.Name == o.scenario })
	for sleep.For(ctx, firstFault) {
		for _, step := range demo.Scenarios()[i].Steps {
			show.logger.Info(step.Text.String(), "scenario", o.scenario)
			show.set(phrase.New("Demo, %s: %s.", o.scenario, step.Text))
			if err := step.Do(cluster); err != nil {
				show.logger.Error("the demo", "err", err)
			}
			if !sleep.For(ctx, step.Pause) {
				return
			}
		}
	}
}

// An announcement informs the readers of the page and of the log what happens to the cluster, and
// where to look.
type announcement struct {
	logger *slog.Logger

	mu      sync.Mutex
	text    phrase.Phrase
	changed func() // nil: there is no page yet
}

// in returns the text in a language of the page; "" before the first one.
func (a *announcement) in(language string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.text.In(phrase.Reader{Language: checks.Language(language)})
}

func (a *announcement) set(text phrase.Phrase) {
	a.mu.Lock()
	a.text = text
	changed := a.changed
	a.mu.Unlock()
	if changed != nil {
		changed()
	}
}

// inject injects a fault and announces it.
func (a *announcement) inject(cluster *demo.Cluster, f demo.Fault) {
	a.logger.Info("fault injected", "fault", f.Name, "description", f.Description)
	a.set(phrase.New("Demo, fault %s: %s. %s", f.Name, phrase.New(f.Description), phrase.New(f.Look)))
	if err := cluster.Break(f.Name); err != nil {
		a.logger.Error("the demo", "err", err)
	}
}

func (a *announcement) removed(f demo.Fault) {
	a.logger.Info("fault removed", "fault", f.Name)
	a.set(phrase.New("Demo: fault %s is removed. Its incident recovers, and resolves after a while without a relapse.", f.Name))
}

// injected returns the faults of --fault.
func (o *demoOptions) injected() []demo.Fault {
	return slices.DeleteFunc(demo.Faults(), func(f demo.Fault) bool { return !slices.Contains(o.faults, f.Name) })
}

// configOf returns what reads the configuration of the demo, with its history in folder. It lists the nodes
// of this moment, and none that a fault or a scenario starts later.
func (o *demoOptions) configOf(d *demo.Cluster, folder string) func() (*config.Config, error) {
	text := []byte(demoFile(d, o.listen, folder, cmp.Or(o.language.value, "en")))
	none := func(string) (string, bool) { return "", false }
	return func() (*config.Config, error) { return config.Parse("demo.yml", text, none) }
}

// demoFile returns the text of the configuration. Its intervals are short, so that a
// viewer need not wait.
func demoFile(cluster *demo.Cluster, listen, folder, language string) string {
	var b strings.Builder
	write := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	write("listen: %q", listen)
	write("history: {url: %q}", "sqlite:"+cmp.Or(folder, ".")+"/history.db")
	write("intervals: {canary: 1s, status: 3s, pages: 3s, dependencies: 3s}")
	write("alerting: {language: %s, for: {warning: 2s}, resolve_after: 3s}", language)
	write("clusters:")
	write("  - name: demo")
	write("    timeout: 2s")
	write("    slow: 1s")
	write("    balancer: {url: %q, method: %s, client_ip_header: %s}", cluster.Balancer.URL(), cluster.Config.Method, cluster.Config.ClientIPHeader)
	write("    nodes:")
	for i, n := range cluster.Nodes {
		write("      - {id: %s, url: %q, primary: %t}", n.ID(), n.URL(), i == 0)
	}
	policy := probes.PolicySticky
	if cluster.Config.Shared {
		policy = probes.PolicyReplicated
	}
	write(`    session: {policy: %s, write: "?key1={value}", read: {regex: 'key1=([0-9]+)'}}`, policy)
	write("    status: {settings: [scaling]}")
	write("    pages: [{path: /app_a/}]")
	write("    handshake: {path: /socket.io/}")
	write("    dependencies: [{name: %s, url: %q}]", demo.RedisServer, cluster.Redis.URL())
	return b.String()
}

// demoFlags returns the flags with which probe watches the demo, a line each.
func demoFlags(d *demo.Cluster) []string {
	lines := []string{
		"--balancer " + d.Balancer.URL(),
		"--method " + string(d.Config.Method) + " --client-ip-header " + d.Config.ClientIPHeader,
	}
	for _, n := range d.Nodes {
		lines = append(lines, "--node "+n.ID()+"="+n.URL())
	}
	return lines
}

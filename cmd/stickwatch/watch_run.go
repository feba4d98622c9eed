package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/internal/gate/watch"
	"stickwatch/internal/panics"
	"stickwatch/internal/render"
	"stickwatch/probes"
)

// A deployment is a watch of clusters that goes on.
type deployment struct {
	options  *probeOptions
	clusters []*probes.Cluster
	watches  []*watch.Watch
	began    time.Time
	line     *statusLine
}

// runWatch holds sessions while a deployment goes on, and tells what became of
// them.
func (o *probeOptions) runWatch(cmd *cobra.Command, c console, clusters []*probes.Cluster) error {
	ctx, stop := untilInterrupted(cmd.Context())
	defer stop()
	outliveReaders()
	line := newStatusLine(c)
	told, err := o.watch.announcer(ctx, line.out, o.clusters.file)
	if err != nil {
		return err
	}
	told.announce(ctx, clusters, o.deploymentName())
	defer told.finish()

	d := &deployment{options: o, clusters: clusters, began: time.Now(), line: line}
	if !d.begin(ctx) {
		line.clear()
		return d.interrupted(ctx)
	}
	ran := d.wait(ctx, c)
	var unmet []gate.Unmet
	if o.wait.value > 0 && ctx.Err() == nil {
		unmet = d.await(ctx)
	}
	r := d.end(context.WithoutCancel(cmd.Context()))
	told.setCounts(r.Watches)
	told.finish() // before the report, for which nobody may ever make room
	r.Command = ran.result()
	line.clear()
	opts := terminalOptions(c.out, c.environ)
	opts.FailOn, opts.Clusters = o.failOn.value, clusters
	if err := unlessInterrupted(ctx, func() error { return writeResults(c.out, o.output.value, r, opts) }); err != nil {
		return err
	}
	if o.wait.value > 0 && ctx.Err() == nil {
		line.printAfter(o.waited(clusters, r.Clusters, unmet))
	}
	if ran == nil && o.watch.length.value > 0 && ctx.Err() != nil {
		return d.interrupted(ctx)
	}
	return exitError{status: cmp.Or(ran.exitStatus(), watchStatus(r, o.failOn.value), waitStatus(unmet))}
}

// unlessInterrupted writes a result. A file that takes nothing is given up a while
// after an interruption.
func unlessInterrupted(ctx context.Context, write func() error) error {
	written := make(chan error, 1)
	panics.Go(panics.Daemon, func() {
		var err error
		if failed := panics.Catch(panics.Daemon, func() { err = write() }); failed != nil {
			err = failed
		}
		written <- err
	})
	finished := func(err error) error {
		if err != nil {
			return fmt.Errorf("writing the result: %w", err)
		}
		return nil
	}
	select {
	case err := <-written:
		return finished(err)
	case <-ctx.Done():
	}
	select {
	case err := <-written:
		return finished(err)
	case <-time.After(lastWords):
		cause, _ := errors.AsType[interruption](context.Cause(ctx))
		return exitError{cause.status(), errors.New("writing the result: standard output takes nothing")}
	}
}

// deploymentName is what a daemon is told of the deployment. Of a command its
// name has to do: its arguments may hold secrets.
func (o *probeOptions) deploymentName() string {
	switch {
	case o.expectVersion != "":
		return o.expectVersion
	case len(o.watch.command) > 0:
		return commandName(o.watch.command)
	case o.watch.drain != "":
		return "drain of " + o.watch.drain
	default:
		return "watched by probe"
	}
}

func (d *deployment) interrupted(ctx context.Context) error {
	cause, _ := errors.AsType[interruption](context.Cause(ctx))
	return exitError{cause.status(), cause}
}

// begin opens the sessions of all clusters side by side, and reports whether it
// came to its end.
func (d *deployment) begin(ctx context.Context) bool {
	prober := d.options.prober(d.line)
	d.watches = make([]*watch.Watch, len(d.clusters))
	var wg panics.Group
	for i, c := range d.clusters {
		wg.Go(func() {
			d.watches[i] = watch.Start(ctx, c, watch.Config{
				Prober: prober, Interval: d.options.interval.value, Sessions: d.options.watch.sessions.value,
			})
		})
	}
	wg.Wait()
	if ctx.Err() == nil {
		prober.Progress = nil // from now on the line tells of the watch
		return true
	}
	d.end(ctx)
	return false
}

// aftermath is for how long the watch goes on after the command has ended.
const aftermath = time.Second

// wait lets the watch go on for as long as was asked for, and tells meanwhile
// what happens. Of a command it returns what came of it.
func (d *deployment) wait(ctx context.Context, c console) *commandResult {
	telling, done := context.WithCancel(ctx)
	var wg panics.Group
	wg.Go(func() { d.reportProgress(telling, len(d.options.watch.command) > 0) })
	defer wg.Wait()
	defer done()
	switch length := d.options.watch.length.value; {
	case len(d.options.watch.command) > 0:
		ran := runCommand(ctx, c, d.options.watch.command)
		pause(ctx, aftermath) // what it did last shows a moment later
		return ran
	case length > 0:
		pause(ctx, length)
	default:
		<-ctx.Done()
	}
	return nil
}

// await lets the watch go on until what --wait waits for is there.
func (d *deployment) await(ctx context.Context) []gate.Unmet {
	return d.options.await(ctx, d.clusters, d.line, pollInterval, func(ctx context.Context) ([]checks.Report, bool) {
		reports := make([]checks.Report, len(d.watches))
		var wg panics.Group
		for i, v := range d.watches {
			wg.Go(func() { reports[i] = v.TakeReport(ctx) })
		}
		wg.Wait()
		return reports, ctx.Err() == nil
	})
}

// end ends the watch and judges it.
func (d *deployment) end(ctx context.Context) render.Results {
	r := render.Results{Started: d.began, Clusters: make([]checks.Report, len(d.watches)), Watches: make(map[string]gate.Report)}
	watches := make([]gate.Report, len(d.watches))
	var wg panics.Group
	for i, v := range d.watches {
		wg.Go(func() { watches[i] = gate.Judge(v.Stop(ctx), d.options.limits(d.clusters[i]), time.Now()) })
	}
	wg.Wait()
	for i, w := range watches {
		r.Watches[w.Cluster] = w
		r.Clusters[i] = w.FinalReport
		r.Clusters[i].Verdict = render.WorstVerdict(w.FinalReport.Verdict, w.Verdict())
	}
	r.Duration = time.Since(r.Started)
	return r
}

// watchStatus is what a watch exits with, but for a command's own status.
func watchStatus(r render.Results, failOn checks.Severity) int {
	unknown := false
	for _, w := range r.Watches {
		unknown = unknown || len(w.Doubts) > 0
		for _, p := range w.Guarantees {
			if p.Kept == checks.No && p.Severity.AtLeast(failOn) {
				return exitFinding
			}
			unknown = unknown || p.Kept == checks.Unknown
		}
	}
	status := exitStatus(r.Clusters, failOn)
	if status == exitOK && unknown {
		return exitInconclusive
	}
	return status
}

// progressInterval is how often a watch is looked at for news.
const progressInterval = 500 * time.Millisecond

// reportProgress says what happens while the watch goes on: on a terminal in a line that
// is written anew, else, and beside a command that writes there itself, in a
// line for each thing worth it.
func (d *deployment) reportProgress(ctx context.Context, beside bool) {
	line := d.line
	if beside && line.live {
		line.clear()
		line = &statusLine{out: line.out}
	}
	news := make([]render.Progress, len(d.watches))
	for i, v := range d.watches {
		line.log(render.WatchSummary(d.report(v, i)))
	}
	for pause(ctx, progressInterval) {
		for i, v := range d.watches {
			r := d.report(v, i)
			if line.live {
				line.log(fmt.Sprintf("watching for %s: %s", time.Since(d.began).Round(time.Second), render.WatchCounts(r)))
				continue
			}
			for _, text := range news[i].Update(r) {
				line.log(text)
			}
		}
	}
}

// report is the watch of a cluster by now.
func (d *deployment) report(v *watch.Watch, i int) gate.Report {
	return gate.Judge(v.Record(), d.options.limits(d.clusters[i]), time.Now())
}

// A commandResult is what came of the command that was run during a watch.
type commandResult struct {
	Name     string // without its arguments: they may hold secrets
	Status   int    // as a shell tells it: 128 and the signal's number, if one ended it
	Duration time.Duration
	Error    error // it could not be run
}

// exitStatus is the status that the whole program ends with because of the
// command: a deployment that failed has failed, whatever users noticed.
func (r *commandResult) exitStatus() int {
	switch {
	case r == nil:
		return exitOK
	case r.Error != nil:
		return exitUsage
	default:
		return r.Status
	}
}

// result returns the part of r that reports show; nil if no command ran.
func (r *commandResult) result() *render.Command {
	if r == nil {
		return nil
	}
	return &render.Command{Name: r.Name, Status: r.exitStatus(), Duration: r.Duration}
}

// runCommand runs a command to its end. What it prints goes to standard error,
// both of its streams: standard output is for the report.
func runCommand(ctx context.Context, c console, command []string) *commandResult {
	r := &commandResult{Name: commandName(command)}
	began := time.Now()
	cmd := exec.Command(command[0], command[1:]...) // not with ctx: it is to end by itself, and kindly
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.in, c.err, c.err
	if r.Error = cmd.Start(); r.Error != nil {
		return r
	}
	stop := panics.AfterContext(ctx, panics.Daemon, func() { forward(ctx, c, cmd.Process) })
	defer stop()
	err := cmd.Wait()
	r.Duration, r.Status = time.Since(began), statusOfProcess(cmd.ProcessState)
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		r.Error = err
	}
	return r
}

// forward passes on the signal that ended ctx. A terminal has sent an interrupt
// to the command already, and many take a second one as an order to drop
// everything.
func forward(ctx context.Context, c console, process *os.Process) {
	cause, ok := errors.AsType[interruption](context.Cause(ctx))
	if ok && !(cause.signal == os.Interrupt && term.IsTerminal(int(c.in.Fd()))) {
		process.Signal(cause.signal)
	}
}

func statusOfProcess(state *os.ProcessState) int {
	if s, ok := state.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return exitSignal + int(s.Signal())
	}
	return state.ExitCode()
}

func commandName(command []string) string { return filepath.Base(command[0]) }

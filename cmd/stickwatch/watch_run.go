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
	"stickwatch/internal/sleep"
	"stickwatch/probes"
)

// A deployment is a running watch of clusters.
type deployment struct {
	options  *probeOptions
	clusters []*probes.Cluster
	watches  []*watch.Watch
	began    time.Time
	line     *statusLine
}

// runWatch watches sessions during a deployment and reports their outcomes.
func (o *probeOptions) runWatch(cmd *cobra.Command, c console, clusters []*probes.Cluster) error {
	ctx, stop := untilInterrupted(cmd.Context())
	defer stop()
	ignoreBrokenPipes()
	line := newStatusLine(c)
	line.reader = o.reader()
	announcer, err := o.watch.announcer(ctx, line.out, o.clusters.file)
	if err != nil {
		return err
	}
	announcer.announce(ctx, clusters, o.deploymentName())
	defer announcer.finish()

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
	results := d.end(context.WithoutCancel(cmd.Context()))
	announcer.setCounts(results.Watches)
	announcer.finish() // before the report: writing it may block
	results.Command = ran.result()
	line.clear()
	opts := terminalOptions(c.out, c.environ)
	opts.FailOn, opts.Clusters, opts.Reader = o.failOn.value, clusters, o.reader()
	if err := unlessInterrupted(ctx, func() error { return writeResults(c.out, o.output.value, results, opts) }); err != nil {
		return err
	}
	if o.wait.value > 0 && ctx.Err() == nil {
		line.printAfter(o.waited(clusters, results.Clusters, unmet))
	}
	if ran == nil && o.watch.length.value > 0 && ctx.Err() != nil {
		return d.interrupted(ctx)
	}
	return exitError{status: cmp.Or(ran.exitStatus(), watchStatus(results, o.failOn.value), waitStatus(unmet))}
}

// unlessInterrupted calls write. If the context ends, it gives up after flushTimeout.
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
	case <-time.After(flushTimeout):
		cause, _ := errors.AsType[interruption](context.Cause(ctx))
		return exitError{cause.status(), errors.New("writing the result: standard output is blocked")}
	}
}

// deploymentName returns the name under which a daemon records the deployment. It omits
// the arguments of a command, which may contain secrets.
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

// begin opens the sessions of all clusters, concurrently. It returns false if it was
// interrupted.
func (d *deployment) begin(ctx context.Context) bool {
	prober := d.options.prober(ctx, d.line)
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
		prober.Progress = nil // the status line now shows the watch
		return true
	}
	d.end(ctx)
	return false
}

// settleTime is how long the watch continues after the command has exited. Effects of
// the command may appear late.
const settleTime = time.Second

// wait waits until the command has exited, the duration of --watch has passed, or ctx
// has ended, and reports progress meanwhile. It returns the result of the command; nil
// without one.
func (d *deployment) wait(ctx context.Context, c console) *commandResult {
	progressCtx, done := context.WithCancel(ctx)
	var wg panics.Group
	wg.Go(func() { d.reportProgress(progressCtx, len(d.options.watch.command) > 0) })
	defer wg.Wait()
	defer done()
	switch length := d.options.watch.length.value; {
	case len(d.options.watch.command) > 0:
		ran := runCommand(ctx, c, d.options.watch.command)
		sleep.For(ctx, settleTime)
		return ran
	case length > 0:
		sleep.For(ctx, length)
	default:
		<-ctx.Done()
	}
	return nil
}

// await continues the watch until the goals of --wait are met.
func (d *deployment) await(ctx context.Context) []gate.Unmet {
	return d.options.await(ctx, d.clusters, d.line, pollInterval, func(ctx context.Context) ([]checks.Report, bool) {
		reports := make([]checks.Report, len(d.watches))
		var wg panics.Group
		for i, w := range d.watches {
			wg.Go(func() { reports[i] = w.TakeReport(ctx) })
		}
		wg.Wait()
		return reports, ctx.Err() == nil
	})
}

// end stops the watch and judges it.
func (d *deployment) end(ctx context.Context) render.Results {
	r := render.Results{Started: d.began, Clusters: make([]checks.Report, len(d.watches)), Watches: make(map[string]gate.Report)}
	watches := make([]gate.Report, len(d.watches))
	var wg panics.Group
	for i, running := range d.watches {
		wg.Go(func() { watches[i] = gate.Judge(running.Stop(ctx), d.options.limits(d.clusters[i]), time.Now()) })
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

// watchStatus returns the exit status of a watch, without its command.
func watchStatus(r render.Results, failOn checks.Severity) int {
	unknown := false
	for _, w := range r.Watches {
		unknown = unknown || len(w.Doubts) > 0
		for _, g := range w.Guarantees {
			if g.Kept == checks.No && g.Severity.AtLeast(failOn) {
				return exitFinding
			}
			unknown = unknown || g.Kept == checks.Unknown
		}
	}
	status := exitStatus(r.Clusters, failOn)
	if status == exitOK && unknown {
		return exitInconclusive
	}
	return status
}

// progressInterval is how often the progress of a watch is reported.
const progressInterval = 500 * time.Millisecond

// reportProgress reports the progress of a watch: on a terminal in a status line, else
// as a log line for each event. A command, which writes to the terminal too, also
// needs log lines.
func (d *deployment) reportProgress(ctx context.Context, withCommand bool) {
	line := d.line
	if withCommand && line.live {
		line.clear()
		line = &statusLine{out: line.out, reader: line.reader}
	}
	progress := make([]render.Progress, len(d.watches))
	for i, w := range d.watches {
		progress[i].Reader = line.reader
		line.log(render.WatchSummary(d.report(w, i), line.reader))
	}
	for sleep.For(ctx, progressInterval) {
		for i, w := range d.watches {
			r := d.report(w, i)
			if line.live {
				line.log(line.reader.Translate("watching for %s: %s", time.Since(d.began).Round(time.Second), render.WatchCounts(r, line.reader)))
				continue
			}
			for _, text := range progress[i].Update(r) {
				line.log(text)
			}
		}
	}
}

// report judges the watch of a cluster so far.
func (d *deployment) report(w *watch.Watch, i int) gate.Report {
	return gate.Judge(w.Record(), d.options.limits(d.clusters[i]), time.Now())
}

// A commandResult is the result of the command that ran during a watch.
type commandResult struct {
	Name     string // without its arguments, which may contain secrets
	Status   int    // 128 plus the signal's number if a signal ended it
	Duration time.Duration
	Error    error // the command could not be run
}

// exitStatus returns the exit status that the command demands of the program. A failed
// deployment fails, whatever clients met.
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

// result returns the result for the report; nil if no command ran.
func (r *commandResult) result() *render.Command {
	if r == nil {
		return nil
	}
	return &render.Command{Name: r.Name, Status: r.exitStatus(), Duration: r.Duration}
}

// runCommand runs a command and waits for it. Both of its output streams go to standard
// error, because standard output has the report.
func runCommand(ctx context.Context, c console, command []string) *commandResult {
	r := &commandResult{Name: commandName(command)}
	began := time.Now()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Cancel = func() error {
		forward(ctx, c, cmd.Process)
		return os.ErrProcessDone // so that Wait returns the status of the command
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.in, c.err, c.err
	if r.Error = cmd.Start(); r.Error != nil {
		if cause, ok := errors.AsType[interruption](context.Cause(ctx)); ok { // before the command began
			r.Error, r.Status = nil, cause.status()
		}
		return r
	}
	err := cmd.Wait()
	r.Duration, r.Status = time.Since(began), statusOfProcess(cmd.ProcessState)
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		r.Error = err
	}
	return r
}

// forward sends the signal that ended ctx to the command. A terminal has already sent
// SIGINT to it; many programs abort at the second one.
func forward(ctx context.Context, c console, process *os.Process) {
	cause, ok := errors.AsType[interruption](context.Cause(ctx))
	if ok && (cause.signal != os.Interrupt || !term.IsTerminal(int(c.in.Fd()))) {
		_ = process.Signal(cause.signal) // it may have ended
	}
}

func statusOfProcess(state *os.ProcessState) int {
	if s, ok := state.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return exitSignal + int(s.Signal())
	}
	return state.ExitCode()
}

func commandName(command []string) string { return filepath.Base(command[0]) }

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// stopWithin is how long a server may take to stop before it is killed.
const stopWithin = 10 * time.Second

// Process is a server that runs for one test. It leads its own process group, and is
// stopped by its process id when the test ends. On Linux the kernel stops it if the
// test process dies before. When the test fails, its logs are kept in
// $STICKWATCH_LAB_LOGS, or in stickwatch-lab in the temporary directory, in a folder
// named after the test.
type Process struct {
	tb      testing.TB
	command Command

	mu  sync.Mutex
	run *run // nil while stopped
}

// run is one execution of a process, from start to exit.
type run struct {
	process *os.Process
	exited  chan struct{} // closed after err is set
	err     error
}

// Run starts a server and returns when it is ready. It fails the test after 20 s, or at
// once with the end of the logs when the server exits.
func Run(tb testing.TB, command Command) *Process {
	tb.Helper()
	p := newProcess(tb, command)
	p.Start()
	return p
}

// newProcess prepares a process and its cleanup.
func newProcess(tb testing.TB, command Command) *Process {
	tb.Helper()
	if command.Dir == "" {
		command.Dir = directory(tb)
	}
	if err := os.MkdirAll(logDir(command.Dir), 0o755); err != nil {
		tb.Fatalf("making the log directory of %q: %v", command.Name, err)
	}
	p := &Process{tb: tb, command: command}
	tb.Cleanup(func() {
		p.Stop()
		if tb.Failed() {
			keepLogs(tb, command.Name, p.LogDir())
		}
	})
	return p
}

// Addr returns the host:port of the server, also while it is stopped.
func (p *Process) Addr() string { return p.command.Addr }

// LogDir returns the directory of the server's standard output and error, its own log
// files, and its configuration.
func (p *Process) LogDir() string { return logDir(p.command.Dir) }

// PID returns the process id, 0 while the server is stopped.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return 0
	}
	return p.run.process.Pid
}

// Start starts a stopped server on the same port with the same data. It fails the test
// on an error, as [Run] does.
func (p *Process) Start() {
	p.tb.Helper()
	if err := p.start(); err != nil {
		p.tb.Fatal(err)
	}
}

// Stop stops the server and waits; after 10 s it kills its process group. It may be
// called twice.
func (p *Process) Stop() {
	p.tb.Helper()
	p.end(func(r *run) {
		if p.command.LeavesWorkers {
			_ = killGroup(r.process)
			return
		}
		p.terminate(r, p.command.stopSignal())
	})
}

// Kill kills the server's process group and waits until nothing accepts connections on
// its port. [Process.Start] may follow.
func (p *Process) Kill() {
	p.tb.Helper()
	p.end(func(r *run) {
		if p.command.KillSignal != 0 {
			p.terminate(r, p.command.KillSignal)
			return
		}
		_ = killGroup(r.process)
	})
	// Only the leader has been waited for: its workers exit a moment later.
	err := poll(context.Background(), nil, func(ctx context.Context) error { return refuses(ctx, p.Addr()) })
	if err != nil {
		p.tb.Fatalf("killing %q: %v", p.command.Name, err)
	}
}

// terminate sends a signal to a process and waits for its exit, and kills it after
// stopWithin.
func (p *Process) terminate(r *run, to os.Signal) {
	p.tb.Helper()
	_ = r.process.Signal(to)
	_ = resume(r.process) // a suspended process handles signals only after this
	select {
	case <-r.exited:
	case <-time.After(stopWithin):
		p.tb.Logf("killing %q: it did not stop within %v", p.command.Name, stopWithin)
		_ = killGroup(r.process)
	}
}

// Suspend suspends the server without closing its sockets: it accepts connections and
// never answers. [Process.Resume] continues it.
func (p *Process) Suspend() { p.each("suspending", suspend) }

// Resume continues a suspended server.
func (p *Process) Resume() { p.each("resuming", resume) }

func (p *Process) each(verb string, do func(*os.Process) error) {
	p.tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		p.tb.Fatalf("%s %q: it is not running", verb, p.command.Name)
	}
	if err := do(p.run.process); err != nil {
		p.tb.Fatalf("%s %q: %v", verb, p.command.Name, err)
	}
}

func (p *Process) end(how func(*run)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return
	}
	select {
	case <-p.run.exited: // it has exited: other processes may have its ids
	default:
		how(p.run)
		<-p.run.exited
	}
	p.run = nil
}

func (p *Process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run != nil {
		return fmt.Errorf("starting %q: it is running already", p.command.Name)
	}
	run, err := p.launch()
	if err != nil {
		return fmt.Errorf("starting %q: %w", p.command.Name, err)
	}
	p.run = run
	if err := p.awaitReady(run); err != nil {
		return fmt.Errorf("starting %q: %w\n%s", p.command.Name, err, tail(p.LogDir()))
	}
	return nil
}

// launch starts the process and a goroutine that waits for its end. That goroutine
// keeps its thread until then, because the kernel sends the parent-death signal when
// the thread that started the child exits, not the process.
func (p *Process) launch() (*run, error) {
	cmd, err := p.command.build(exec.Command)
	if err != nil {
		return nil, err
	}
	stdout, stderr, err := p.outputs()
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr

	r := &run{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		r.process = cmd.Process
		started <- err
		if err == nil {
			r.err = cmd.Wait()
			close(r.exited)
		}
	}()
	return r, <-started
}

// outputs opens the two log files for appending, so that a restarted server continues
// its logs.
func (p *Process) outputs() (stdout, stderr *os.File, err error) {
	open := func(suffix string) (*os.File, error) {
		return os.OpenFile(filepath.Join(p.LogDir(), p.command.Name+suffix), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	}
	if stdout, err = open(".stdout"); err != nil {
		return nil, nil, err
	}
	if stderr, err = open(".stderr"); err != nil {
		stdout.Close()
		return nil, nil, err
	}
	return stdout, stderr, nil
}

func (p *Process) awaitReady(r *run) error {
	err := poll(p.tb.Context(), r.exited, func(ctx context.Context) error {
		if err := dial(ctx, p.command.Addr); err != nil || p.command.Ready == nil {
			return err
		}
		return p.command.Ready(ctx)
	})
	if errors.Is(err, errExited) {
		return fmt.Errorf("%w: %w", err, r.err)
	}
	return err
}

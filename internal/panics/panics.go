// Package panics prevents a panic in one goroutine from ending the process. The
// stickwatch command starts all its goroutines with it.
//
// [Catch] handles a panic: it counts and logs it, and returns an error. The panic of a
// goroutine of a [Group] is raised again in the goroutine that waits for the group. So
// it reaches the Catch whose caller handles the error: as a failed observation, a
// delivery that is retried, or a job that runs again.
//
// A [Runner] also bounds the time of a function that may never return: its caller goes on with an error.
package panics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"stickwatch/internal/loglimit"
)

// A Component is a part of stickwatch whose panics are counted together.
type Component string

// The components.
const (
	Probe      Component = "probe"      // a request to a node or the balancer, and reading its answer
	Dependency Component = "dependency" // a health check of a dependency
	Handshake  Component = "handshake"  // an Engine.IO handshake
	Evidence   Component = "evidence"   // reading the balancer's own evidence
	Job        Component = "job"        // a scheduled job: a round, and judging it
	Delivery   Component = "delivery"   // notifying a receiver
	History    Component = "history"    // writing the history
	Incidents  Component = "incidents"  // storing incidents
	Web        Component = "web"        // page and API
	Metrics    Component = "metrics"    // answering a scrape
	Daemon     Component = "daemon"     // everything else
)

// Components lists every Component.
var Components = []Component{
	Probe, Dependency, Handshake, Evidence, Job, Delivery, History, Incidents, Web, Metrics, Daemon,
}

// An Error is a panic that was handled. It does not contain the text of the panic,
// which may quote a target and is only logged.
type Error struct{ Component Component }

func (e Error) Error() string {
	return fmt.Sprintf("stickwatch itself failed (panic in %q, see its log)", string(e.Component))
}

// Catch runs f. It counts and logs a panic in f, and returns it as an Error.
func Catch(c Component, f func()) error { return catch(c, f, callSite()) }

func catch(c Component, f func(), site string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			handle(c, capture(v))
			err = Error{c}
		}
	}()
	run(f, site)
	return nil
}

// Go runs f in a goroutine. It counts and logs a panic in f.
func Go(c Component, f func()) {
	site := callSite()
	go func() { _ = catch(c, f, site) }()
}

// Keep runs f until it returns. It restarts f a second after a panic, unless ctx has
// ended.
func Keep(ctx context.Context, c Component, f func()) {
	const pause = time.Second
	site := callSite()
	for catch(c, f, site) != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// AfterFunc is time.AfterFunc. It counts and logs a panic in f.
func AfterFunc(d time.Duration, c Component, f func()) *time.Timer {
	site := callSite()
	return time.AfterFunc(d, func() { _ = catch(c, f, site) })
}

// AfterContext is context.AfterFunc. It counts and logs a panic in f.
func AfterContext(ctx context.Context, c Component, f func()) (stop func() bool) {
	site := callSite()
	return context.AfterFunc(ctx, func() { _ = catch(c, f, site) })
}

// A Group is a sync.WaitGroup whose Wait panics if one of the goroutines panicked. The
// zero value is an empty group.
type Group struct {
	wg    sync.WaitGroup
	mu    sync.Mutex
	first *recovered // the first panic of a goroutine; nil: none
}

// Go runs f in a goroutine.
func (g *Group) Go(f func()) {
	site := callSite()
	g.wg.Go(func() {
		defer g.recover()
		run(f, site)
	})
}

func (g *Group) recover() {
	if v := recover(); v != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.first == nil {
			g.first = capture(v)
		}
	}
}

// Wait waits until all goroutines have ended. It panics if one of them panicked.
func (g *Group) Wait() {
	g.wg.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first != nil {
		panic(g.first)
	}
}

// A recovered is a panic between the goroutine where it happened and the Catch that
// handles it.
type recovered struct {
	text  string
	stack string
}

// String returns the text that the Go runtime prints if the panic is not caught.
func (r *recovered) String() string { return r.text + "\n\n" + r.stack }

// capture returns a recovered panic with its stack. The deferred function that recovers
// must call it. The text of a panic may quote a target or contain a secret, so only
// that of the Go runtime's own panics is kept.
func capture(v any) *recovered {
	if c, ok := v.(*recovered); ok {
		return c
	}
	text := fmt.Sprintf("panic with a %T", v)
	if e, ok := v.(runtime.Error); ok {
		text = e.Error()
	}
	const maxStack = 16 << 10
	stack := debug.Stack()
	return &recovered{text: text, stack: string(stack[:min(len(stack), maxStack)])}
}

// recorder counts the panics of the process.
var recorder struct {
	mu         sync.Mutex
	components map[Component]*componentRecord
}

type componentRecord struct {
	count uint64
	log   loglimit.Limiter // a target that causes a panic with every answer cannot fill the disk
}

// handle counts and logs a panic.
func handle(c Component, p *recovered) {
	if silent, ok := count(c); ok {
		slog.Error("recovered from a panic", "component", string(c), "panic", p.text, "not_logged", silent, "stack", p.stack)
	}
}

// count counts a panic. It reports whether the panic should be logged, and how many
// were not logged since the last one.
func count(c Component) (silent int, log bool) {
	recorder.mu.Lock()
	defer recorder.mu.Unlock()
	if recorder.components == nil {
		recorder.components = make(map[Component]*componentRecord)
	}
	r := recorder.components[c]
	if r == nil {
		r = new(componentRecord)
		recorder.components[c] = r
	}
	r.count++
	return r.log.Allow()
}

// Counts returns the number of panics since the process started, for every component.
func Counts() map[Component]uint64 {
	recorder.mu.Lock()
	defer recorder.mu.Unlock()
	counts := make(map[Component]uint64, len(Components))
	for _, c := range Components {
		counts[c] = 0
	}
	for c, r := range recorder.components {
		counts[c] = r.count
	}
	return counts
}

// testHook is called at the end of every function that this package runs, in tests.
var testHook atomic.Pointer[func(site string)]

// SetTestHook lets tests cause panics. Until remove is called, f is called at the end of
// every function that Catch, Go, Keep, a Group and the others run, and may panic. site
// is the source line that started the function ("package/file.go:12").
func SetTestHook(f func(site string)) (remove func()) {
	testHook.Store(&f)
	return func() { testHook.Store(nil) }
}

// callSite returns the source line that called the exported function, which must call callSite itself;
// "" outside of tests.
func callSite() string {
	if testHook.Load() == nil {
		return ""
	}
	_, file, line, _ := runtime.Caller(2)
	return fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(file)), filepath.Base(file), line)
}

// run runs f and then, in tests, the hook.
func run(f func(), site string) {
	if hook := testHook.Load(); hook != nil {
		defer (*hook)(site)
	}
	f()
}

// A Runner runs one function at a time. It does not wait for a function that hangs, such as one that reads
// a file of a dead file server.
type Runner chan struct{} // holds one element while a function runs

// NewRunner returns a Runner that runs nothing yet.
func NewRunner() Runner { return make(Runner, 1) }

// ErrHangs is the error of a function that does not return although its context has ended.
var ErrHangs = errors.New("it does not answer")

// Do calls f with a context that ends after timeout, and waits until f returns. If f has not returned
// a second after the context has ended, it hangs: Do returns ErrHangs, f goes on alone, and nothing
// else runs until it has returned. A panic in f is returned as an [Error].
func (r Runner) Do(ctx context.Context, c Component, timeout time.Duration, f func(context.Context)) error {
	const grace = time.Second
	within, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	select {
	case r <- struct{}{}:
	case <-within.Done():
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return ErrHangs
	}
	done, site := make(chan error, 1), callSite()
	go func() {
		err := catch(c, func() { f(within) }, site)
		<-r // before done, because whoever waits for it may call Do
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-within.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(grace):
		return ErrHangs
	}
}

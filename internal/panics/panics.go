// Package panics keeps a panic in one goroutine from ending the process: every
// goroutine that the stickwatch command starts, it starts here.
//
// A panic is handled by [Catch], which counts and logs it and returns an error.
// A goroutine of a [Group] hands its panic to whoever waits for the group, so that
// it reaches the Catch that knows what to make of it: a failed observation, a
// delivery that is tried again, a job that is run again.
package panics

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// A Component is the part of stickwatch that a panic is counted for.
type Component string

// The components.
const (
	Probe      Component = "probe"      // a request to a node or the balancer, and reading its answer
	Dependency Component = "dependency" // a health check of a dependency
	Handshake  Component = "handshake"  // an Engine.IO handshake
	Evidence   Component = "evidence"   // reading what the balancer itself tells
	Job        Component = "job"        // a scheduled job: a round, and judging it
	Delivery   Component = "delivery"   // notifying a receiver
	History    Component = "history"    // writing the history
	Incidents  Component = "incidents"  // keeping incidents
	Web        Component = "web"        // page and API
	Metrics    Component = "metrics"    // answering a scrape
	Daemon     Component = "daemon"     // everything else
)

// Components lists every Component.
var Components = []Component{
	Probe, Dependency, Handshake, Evidence, Job, Delivery, History, Incidents, Web, Metrics, Daemon,
}

// An Error is a panic that was handled. It does not quote the panic, which may
// quote a target: that is for the log.
type Error struct{ Component Component }

func (e Error) Error() string {
	return fmt.Sprintf("stickwatch itself failed (panic in %q, see its log)", string(e.Component))
}

// Catch runs f. A panic in f is counted and logged, and returned as an Error.
func Catch(c Component, f func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			handle(c, capture(v))
			err = Error{c}
		}
	}()
	run(f, site())
	return nil
}

// Go runs f in a goroutine. A panic in f is counted and logged.
func Go(c Component, f func()) {
	at := site()
	go func() { _ = Catch(c, func() { run(f, at) }) }()
}

// Keep runs f until it returns, and begins anew a second after a panic, unless
// ctx has ended.
func Keep(ctx context.Context, c Component, f func()) {
	const pause = time.Second
	for Catch(c, f) != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// AfterFunc is time.AfterFunc. A panic in f is counted and logged.
func AfterFunc(d time.Duration, c Component, f func()) *time.Timer {
	at := site()
	return time.AfterFunc(d, func() { _ = Catch(c, func() { run(f, at) }) })
}

// AfterContext is context.AfterFunc. A panic in f is counted and logged.
func AfterContext(ctx context.Context, c Component, f func()) (stop func() bool) {
	at := site()
	return context.AfterFunc(ctx, func() { _ = Catch(c, func() { run(f, at) }) })
}

// A Group is a sync.WaitGroup whose Wait panics if one of the goroutines did.
// Its zero value has no goroutines.
type Group struct {
	wg    sync.WaitGroup
	mu    sync.Mutex
	first *recovered // of the goroutines that panicked; nil: none did
}

// Go runs f in a goroutine.
func (g *Group) Go(f func()) {
	at := site()
	g.wg.Go(func() {
		defer g.recover()
		run(f, at)
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

// Wait waits until all goroutines have ended. If one has panicked, it panics.
func (g *Group) Wait() {
	g.wg.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first != nil {
		panic(g.first)
	}
}

// A recovered panic is on its way from the goroutine where it happened to the Catch
// that handles it.
type recovered struct {
	text  string
	stack string
}

// String is what the Go runtime prints if nobody catches it.
func (c *recovered) String() string { return c.text + "\n\n" + c.stack }

// capture returns what was recovered, with its stack. It must be called by the
// deferred function that recovered. The text of a panic may quote a target or
// hold a secret, so only the Go runtime's own is kept.
func capture(v any) *recovered {
	if c, ok := v.(*recovered); ok {
		return c
	}
	text := fmt.Sprintf("panic with a %T", v)
	if e, ok := v.(runtime.Error); ok {
		text = e.Error()
	}
	const most = 16 << 10
	stack := debug.Stack()
	return &recovered{text: text, stack: string(stack[:min(len(stack), most)])}
}

// logEvery is how often a panic of a component is logged with its stack: a target
// that provokes one with every answer must not fill the disk.
const logEvery = time.Minute

// recorder counts and logs panics for the whole process.
var recorder struct {
	mu         sync.Mutex
	components map[Component]*componentRecord
}

type componentRecord struct {
	count  uint64
	logged time.Time
	silent int // since it was logged
}

// handle counts and logs a panic.
func handle(c Component, p *recovered) {
	if silent, ok := count(c); ok {
		slog.Error("stickwatch panicked; it goes on", "component", string(c), "panic", p.text, "not_logged", silent, "stack", p.stack)
	}
}

// count counts a panic, and reports whether it may be logged, with how many were
// not since one was.
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
	if time.Since(r.logged).Abs() < logEvery {
		r.silent++
		return 0, false
	}
	silent, r.logged, r.silent = r.silent, time.Now(), 0
	return silent, true
}

// Counts returns how many panics were handled since the process started, for
// every component.
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

// injected is called at the end of every function that runs here, in tests.
var injected atomic.Pointer[func(site string)]

// Inject has tests throw panics: until remove is called, f is called at the end
// of every function that Catch, Go, Keep, a Group and the like run, with the place
// in the source that had it run ("package/file.go:12"), and may panic.
func Inject(f func(site string)) (remove func()) {
	injected.Store(&f)
	return func() { injected.Store(nil) }
}

// site is where the caller of the exported function stands; "" outside of tests.
func site() string {
	if injected.Load() == nil {
		return ""
	}
	_, file, line, _ := runtime.Caller(2)
	return fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(file)), filepath.Base(file), line)
}

func run(f func(), at string) {
	if throw := injected.Load(); throw != nil {
		defer (*throw)(at)
	}
	f()
}

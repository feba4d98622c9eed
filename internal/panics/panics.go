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
	"runtime"
	"runtime/debug"
	"sync"
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
			handle(c, carry(v))
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
	first *carried // of the goroutines that panicked; nil: none did
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
			g.first = carry(v)
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

// A carried panic is on its way from the goroutine where it happened to the Catch
// that handles it.
type carried struct {
	text  string
	stack string
}

// String is what the Go runtime prints if nobody catches it.
func (c *carried) String() string { return c.text + "\n\n" + c.stack }

// carry returns what was recovered, with its stack. It must be called by the
// deferred function that recovered. The text of a panic may quote a target or
// hold a secret, so only the Go runtime's own is kept.
func carry(v any) *carried {
	if c, ok := v.(*carried); ok {
		return c
	}
	text := fmt.Sprintf("panic with a %T", v)
	if e, ok := v.(runtime.Error); ok {
		text = e.Error()
	}
	const most = 16 << 10
	stack := debug.Stack()
	return &carried{text: text, stack: string(stack[:min(len(stack), most)])}
}

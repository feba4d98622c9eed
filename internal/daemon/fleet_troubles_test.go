package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/must"
)

// A cable is the connection of an instance to the database. It can be cut: then nothing passes it,
// and neither end gets an error.
type cable struct {
	net.Listener
	to string

	mu    sync.Mutex
	isCut chan struct{} // closed: it is not cut
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must.Succeed(t, err)
	c := &cable{Listener: l, to: to, isCut: make(chan struct{})}
	close(c.isCut)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.carry(conn)
		}
	}()
	return c
}

// cut cuts or mends the cable.
func (c *cable) cut(is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if is {
		c.isCut = make(chan struct{})
	} else {
		close(c.isCut)
	}
}

func (c *cable) whole() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isCut
}

// carry carries a connection.
func (c *cable) carry(from net.Conn) {
	defer from.Close()
	<-c.whole()
	to, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer to.Close()
	pass := func(to, from net.Conn) {
		defer to.Close()
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			<-c.whole()
			if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
				return
			}
		}
	}
	go pass(from, to)
	pass(to, from)
	_, _ = io.Copy(io.Discard, from)
}

// through returns the URL of the database through the cable.
func (c *cable) through(t *testing.T, database string) string {
	t.Helper()
	u := must.URL(database)
	u.Host = c.Addr().String()
	return u.String()
}

// A troubleTest has three instances with troubles of their own, beside those of the cluster and of Slack.
type troubleTest struct {
	killTest
	fleet  *fleetRig
	cables map[string]*cable
	clocks map[string]wallClock
	spans  []trouble
	kinds  map[string]int
}

// A trouble happened in a span, which includes the time after it.
type trouble struct {
	checks.Span
	kind, instance string
}

var instances = []string{"a", "b", "c"}

// troubles are what happens to an instance, for a time that depends on the trouble.
var troubles = map[string]func(t *testing.T, k *troubleTest, name string){
	"killed": func(t *testing.T, k *troubleTest, name string) {
		k.fleet.running[name].kill()
		k.causeFaults(t, k.other(name))
		k.restart(t, name)
	},
	"stopped": func(t *testing.T, k *troubleTest, name string) {
		must.Succeed(t, k.fleet.running[name].Process.Signal(syscall.SIGTERM))
		_ = k.fleet.running[name].Wait()
		k.causeFaults(t, k.other(name))
		k.restart(t, name)
	},
	"paused for 30 s": func(t *testing.T, k *troubleTest, name string) {
		pause(t, k.fleet.running[name], syscall.SIGSTOP)
		k.during(t, name, 30*time.Second)
		pause(t, k.fleet.running[name], syscall.SIGCONT)
	},
	"cut off for 20 s": func(t *testing.T, k *troubleTest, name string) {
		k.cables[name].cut(true)
		k.during(t, name, 20*time.Second)
		k.cables[name].cut(false)
	},
	"database restarted": func(t *testing.T, k *troubleTest, name string) {
		k.fleet.database.Stop()
		k.toggleFault(t)
		time.Sleep(time.Duration(k.random.IntN(8000)) * time.Millisecond)
		k.fleet.database.Start()
	},
	"clock off by a minute": func(t *testing.T, k *troubleTest, name string) {
		off := []time.Duration{-time.Minute, time.Minute}[k.random.IntN(2)]
		fromStart := k.random.IntN(2) == 0
		if fromStart {
			k.fleet.running[name].kill()
		}
		k.clocks[name].set(t, off)
		if fromStart {
			k.restart(t, name)
		}
		k.during(t, name, 20*time.Second)
		k.clocks[name].set(t, 0)
	},
	"all killed": func(t *testing.T, k *troubleTest, _ string) {
		for _, name := range instances {
			k.fleet.running[name].kill()
		}
		for _, name := range instances {
			k.restart(t, name)
		}
	},
}

func pause(t *testing.T, p *process, signal syscall.Signal) {
	t.Helper()
	must.Succeed(t, p.Process.Signal(signal))
}

// other returns an instance that has no trouble.
func (tt *troubleTest) other(name string) *process {
	return tt.fleet.running[instances[(slices.Index(instances, name)+1)%len(instances)]]
}

// during lets the cluster and Slack have faults for a time.
func (tt *troubleTest) during(t *testing.T, name string, length time.Duration) {
	t.Helper()
	for began := time.Now(); time.Since(began) < length; {
		tt.causeFaults(t, tt.other(name))
	}
}

func (tt *troubleTest) restart(t *testing.T, name string) {
	t.Helper()
	tt.fleet.startWith(t, name, tt.cables[name].through(t, tt.fleet.database.URL()))
}

// TestFleetTroubles: random troubles of three instances, while a cluster fails and heals and Slack has
// troubles of its own. No incident is forgotten, no message is sent twice, and all clusters are probed.
// STICKWATCH_TROUBLES is the number of troubles; see `make fleet`.
func TestFleetTroubles(t *testing.T) {
	count := 2
	if n, err := strconv.Atoi(os.Getenv("STICKWATCH_TROUBLES")); err == nil {
		count = n
	}
	f := newSessionRig(t, 6).fleetRig
	seed := rand.Uint64()
	if n, err := strconv.ParseUint(os.Getenv("STICKWATCH_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("seed %d", seed)
	clocks := f.setClocks(t, instances...)
	tt := &troubleTest{
		fleet: f, cables: make(map[string]*cable), clocks: clocks, kinds: make(map[string]int),
		killTest: killTest{rig: f.rig, random: rand.New(rand.NewPCG(seed, 0)), workspace: f.workspace, beforeKill: make(map[string]apiIncident)},
	}
	t.Cleanup(func() {
		if t.Failed() {
			f.logs(t)
		}
	})
	for _, name := range instances {
		tt.cables[name] = newCable(t, f.database.Addr())
		tt.restart(t, name)
	}
	await(t, 2*time.Minute, "each instance has clusters", func() bool { return f.owned(t, instances...) })
	kinds := slices.Sorted(maps.Keys(troubles))
	for n := range count {
		kind, name := kinds[tt.random.IntN(len(kinds))], instances[tt.random.IntN(len(instances))]
		t.Logf("trouble %d: %s: %s", n+1, name, kind)
		began := time.Now()
		tt.causeFaults(t, tt.other(name))
		troubles[kind](t, tt, name)
		const settle = 20 * time.Second
		tt.during(t, name, time.Duration(tt.random.Int64N(int64(settle))))
		tt.spans = append(tt.spans, trouble{checks.Span{From: began, To: time.Now()}, kind, name})
		tt.kinds[kind]++
	}
	tt.finish(t, tt.fleet.running["a"])
	tt.report(t)
}

// logs shows the end of the log of each instance.
func (f *fleetRig) logs(t *testing.T) {
	t.Helper()
	const shown = 20 << 10
	for _, name := range instances {
		text, _ := os.ReadFile(logOf(filepath.Join(f.dir, name+".yml")))
		t.Logf("%s logged %s", name, text[max(0, len(text)-shown):])
	}
}

// report prints the figures of the README.
func (tt *troubleTest) report(t *testing.T) {
	t.Helper()
	tt.fleet.state(t)
	list, err := tt.fleet.reader.Incidents(t.Context(), alerting.IncidentQuery{})
	must.Succeed(t, err)
	forgotten, doubled := 0, 0
	roots := tt.channelMessages()
	for _, i := range list {
		if !i.Fired.IsZero() && roots[alerting.NotificationID(i.ID, "ops", 1)] == 0 {
			forgotten++
		}
	}
	for _, n := range roots {
		doubled += n - 1
	}
	one := campaign{Troubles: tt.kinds, Incidents: len(list), Forgotten: forgotten, Roots: len(roots), Doubled: doubled, Gaps: tt.gaps(t)}
	t.Log(one)
	if path := os.Getenv("STICKWATCH_TROUBLES_FILE"); path != "" {
		t.Logf("all runs in %s: %s", path, one.addTo(t, path))
	}
}

// A campaign is what one or more runs have found.
type campaign struct {
	Troubles                             map[string]int // by kind
	Incidents, Forgotten, Roots, Doubled int
	Gaps                                 []time.Duration // the longest time without a probe of each cluster in each trouble
}

func (c campaign) String() string {
	slices.Sort(c.Gaps)
	count := 0
	for _, n := range c.Troubles {
		count += n
	}
	return fmt.Sprintf("%d troubles %v: %d incidents, forgotten %d, root messages %d, doubled %d, longest gap in the probing of a cluster: median %s, p95 %s, longest %s",
		count, c.Troubles, c.Incidents, c.Forgotten, c.Roots, c.Doubled, quantile(c.Gaps, 50), quantile(c.Gaps, 95), quantile(c.Gaps, 100))
}

// addTo appends a run to a file of runs, and returns the sum of all.
func (c campaign) addTo(t *testing.T, path string) (all campaign) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	line, err := json.Marshal(c)
	must.Succeed(t, err)
	text = append(append(text, line...), '\n')
	must.Succeed(t, os.WriteFile(path, text, 0o600))
	all.Troubles = make(map[string]int)
	for decoder := json.NewDecoder(bytes.NewReader(text)); decoder.More(); {
		var run campaign
		if err := decoder.Decode(&run); err != nil {
			t.Fatalf("reading %s: %v", path, err)
		}
		for kind, n := range run.Troubles {
			all.Troubles[kind] += n
		}
		all.Incidents, all.Forgotten, all.Roots, all.Doubled = all.Incidents+run.Incidents, all.Forgotten+run.Forgotten, all.Roots+run.Roots, all.Doubled+run.Doubled
		all.Gaps = append(all.Gaps, run.Gaps...)
	}
	return all
}

// gaps returns the longest time without a probe of each cluster in each trouble, sorted.
func (tt *troubleTest) gaps(t *testing.T) (gaps []time.Duration) {
	t.Helper()
	for _, cluster := range tt.fleet.clusters {
		targets := tt.fleet.targets(t, cluster)
		for _, span := range tt.spans {
			const step, long = 100 * time.Millisecond, 10 * time.Second
			points, err := tt.fleet.reader.Points(t.Context(), targets, span.Span, step)
			must.Succeed(t, err)
			times := []time.Time{span.From, span.To}
			for _, list := range points {
				for _, p := range list {
					times = append(times, p.At)
				}
			}
			slices.SortFunc(times, time.Time.Compare)
			var longest time.Duration
			var from time.Time
			for n := range times[1:] {
				if gap := times[n+1].Sub(times[n]); gap > longest {
					longest, from = gap, times[n]
				}
			}
			if longest > long {
				t.Logf("%s was not probed for %s from %s, when %s was %s", cluster, longest, from.Format(time.TimeOnly), span.instance, span.kind)
			}
			gaps = append(gaps, longest)
		}
	}
	slices.Sort(gaps)
	return gaps
}

// quantile returns a percentile of sorted durations.
func quantile(sorted []time.Duration, percent int) string {
	if len(sorted) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f s", sorted[(len(sorted)-1)*percent/100].Seconds())
}

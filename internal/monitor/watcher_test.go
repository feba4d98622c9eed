package monitor_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
)

// A diary is an observer that remembers.
type diary struct {
	mu      sync.Mutex
	probes  map[checks.TargetKind]int
	judged  []monitor.Judgement
	changes []string
}

func (d *diary) Requested(checks.Request) {}

func (d *diary) Probed(p monitor.Probe) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.probes == nil {
		d.probes = make(map[checks.TargetKind]int)
	}
	d.probes[p.Kind]++
}

func (d *diary) Judged(j monitor.Judgement) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.judged = append(d.judged, j)
	for _, c := range j.Changes {
		d.changes = append(d.changes, string(c.Kind)+" "+string(c.Code)+" "+c.Node)
	}
}

// last is the newest judgement; told are the changes since the last call.
func (d *diary) last() monitor.Judgement { return d.judged[len(d.judged)-1] }

func (d *diary) told() []string {
	defer func() { d.changes = nil }()
	return d.changes
}

// wholes is how many whole rounds there were.
func (d *diary) wholes() (n int) {
	for _, j := range d.judged {
		if j.Whole {
			n++
		}
	}
	return n
}

// watch begins to watch a demo cluster, and takes its first round.
func watch(t *testing.T, c demo.Config, profile string, damping checks.Damping) (watched, *monitor.Watcher, *diary) {
	t.Helper()
	d := start(t, c, profile, nil)
	w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Pace{Damping: damping})
	return d, w, log
}

// watchAs begins to watch a cluster, and takes its first round.
func watchAs(t *testing.T, c *probes.Cluster, p *monitor.Prober, pace monitor.Pace) (*monitor.Watcher, *diary) {
	t.Helper()
	var log diary
	w := monitor.NewWatcher(c, p, &log, pace)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	w.Refresh(t.Context(), monitor.Status)
	return w, &log
}

// sessions are those of canaries, sorted.
func sessions(list []monitor.Canary) (ids []probes.Fingerprint) {
	for _, c := range list {
		ids = append(ids, c.Session)
	}
	slices.Sort(ids)
	return ids
}

// TestCanariesLiveOn: one session a node, over as many rounds and visits as
// there are.
func TestCanariesLiveOn(t *testing.T) {
	for name, c := range map[string]demo.Config{
		"ip_hash": {}, "round robin, shared": {Method: probes.MethodRoundRobin, Shared: true},
	} {
		t.Run(name, func(t *testing.T) {
			profile := "generic"
			if c.Shared {
				profile = "tomcat-msm"
			}
			_, w, log := watch(t, c, profile, checks.Damping{})
			first := log.last().Canaries
			if len(first) != 3 {
				t.Fatalf("got %d canaries %v, want one a node; %s %v", len(first), first, log.last().Report.Verdict, log.last().Report.Findings)
			}
			for range 3 {
				w.Visit(t.Context())
				w.Probe(t.Context())
			}
			if diff := cmp.Diff(sessions(first), sessions(log.last().Canaries)); diff != "" {
				t.Errorf("the sessions are others (-first +now):\n%s", diff)
			}
			if got := log.last().Report.Verdict; got != checks.Healthy {
				t.Errorf("got %s: %v %v", got, log.last().Report.Doubts, log.last().Report.Findings)
			}
		})
	}
}

// TestOddVisit: a visit that meets something odd takes a whole round, and what
// is over is seen to be over.
func TestOddVisit(t *testing.T) {
	d, w, log := watch(t, demo.Config{}, "generic", checks.Damping{})
	log.told()
	d.Nodes[1].Stop()
	w.Visit(t.Context())
	if diff := cmp.Diff([]string{"appeared node_down node2"}, log.told()); diff != "" {
		t.Errorf("when node2 was stopped (-want +got):\n%s", diff)
	}
	if err := d.Nodes[1].Start(); err != nil {
		t.Fatal(err)
	}
	w.Probe(t.Context())
	told := log.told()
	if !slices.Contains(told, "gone node_down node2") || !slices.Contains(told, "appeared node_restarted node2") {
		t.Errorf("when node2 was back: got %q", told)
	}
}

// TestCalm: while all is well, nobody new is sent.
func TestCalm(t *testing.T) {
	d, w, log := watch(t, demo.Config{}, "generic", checks.Damping{})
	before := log.last().Round.Started
	for range 3 {
		w.Visit(t.Context())
		w.Refresh(t.Context(), monitor.Status)
		w.Refresh(t.Context(), monitor.Dependencies)
		w.Refresh(t.Context(), monitor.Pages)
	}
	last := log.last()
	if got := last.Report.Verdict; got != checks.Healthy {
		t.Errorf("got %s: %v %v", got, last.Report.Doubts, last.Report.Findings)
	}
	for _, walk := range last.Round.Walks {
		if at := walk.First().At; !walk.Carried && at.After(last.Round.Started) {
			t.Errorf("a newcomer came at %s, in a calm round", at)
		}
	}
	if !last.Round.Started.After(before) {
		t.Error("no round was judged")
	}
	d.Nodes[2].Change(func(f *demo.NodeFaults) { f.Paused = "maintenance" })
	w.Refresh(t.Context(), monitor.Status)
	if got := log.last().Report.Findings; len(got) == 0 || got[0].Code != checks.NodePaused {
		t.Errorf("got %v, want %s at once", got, checks.NodePaused)
	}
}

// TestOnePacket: with damping, one bad round is no finding; two are.
func TestOnePacket(t *testing.T) {
	d, w, log := watch(t, demo.Config{}, "generic", checks.Damping{Appear: 2, Vanish: 2})
	log.told()
	d.Nodes[1].Stop()
	w.Probe(t.Context())
	if got := log.told(); len(got) > 0 {
		t.Errorf("after one round: got %q, want nothing", got)
	}
	w.Visit(t.Context()) // whatever it meets: a finding waits to be believed
	if got := log.told(); !slices.Contains(got, "appeared node_down node2") {
		t.Errorf("after two rounds: got %q", got)
	}
}

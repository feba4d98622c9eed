package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/must"

	"github.com/google/go-cmp/cmp"
)

// TestRandomSchedules checks that random schedules can be simulated, survive formatting
// and parsing, and are the same for the same seed.
func TestRandomSchedules(t *testing.T) {
	operations := 0
	for seed := range uint64(300) {
		s := Random(seed, time.Hour, setups)
		if err := s.Check(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		operations += len(s.Operations)
		read, err := ParseSchedule(s.String())
		if err != nil {
			t.Errorf("seed %d: reading it again: %v", seed, err)
		}
		if diff := cmp.Diff(s, read); diff != "" {
			t.Errorf("seed %d (-made +read):\n%s", seed, diff)
		}
		if diff := cmp.Diff(s, Random(seed, time.Hour, setups)); diff != "" {
			t.Errorf("seed %d, once more:\n%s", seed, diff)
		}
	}
	if mean := operations / 300; mean < 9 || mean > 11 {
		t.Errorf("got %d operations an hour, want about ten", mean)
	}
}

// TestEveryKindIsChosen checks that each kind of operation and each setup occurs.
func TestEveryKindIsChosen(t *testing.T) {
	missing := make(map[string]bool)
	for _, k := range operationKinds {
		missing[k.name] = true
	}
	for _, s := range setups {
		missing[s.Name()] = true
	}
	for seed := range uint64(300) {
		s := Random(seed, time.Hour, setups)
		delete(missing, s.Setup.Name())
		for _, o := range s.Operations {
			delete(missing, o.Kind)
		}
	}
	if len(missing) > 0 {
		t.Errorf("never chosen: %v", missing)
	}
}

// TestBadSchedules checks that a schedule that cannot be simulated is a clear error.
func TestBadSchedules(t *testing.T) {
	const cluster = "cluster ip_hash/sticky/generic nodes=3 workers=2 zone=false max_fails=1 fail_timeout=10s timeout=1m0s\nlength 1h\n"
	tests := []struct{ name, text, want string }{
		{"no cluster", "length 1h\n3m kill node1 for 1m", "want 2 to 9 nodes"},
		{"unknown cluster", "cluster ip_hash/none/generic nodes=3", `reading cluster "ip_hash/none/generic": want one of`},
		{"unknown key", "cluster ip_hash/sticky/generic colour=red", `"colour=red"`},
		{"bad number", "cluster ip_hash/sticky/generic nodes=many", `"nodes=many"`},
		{"too few nodes", "cluster ip_hash/sticky/generic nodes=1 workers=2 fail_timeout=10s timeout=1s", "want 2 to 9 nodes"},
		{"unknown kind", cluster + "3m explode node1 for 1m", `there is no kind "explode"; want one of`},
		{"unknown node", cluster + "3m kill node4 for 1m", `got node "node4"`},
		{"a node twice", cluster + "3m kill-two node1,node1 for 1m", `got node "node1", want each of`},
		{"too few nodes named", cluster + "3m kill-two node1 for 1m", "got 1 nodes, want 2"},
		{"not all nodes", cluster + "3m rolling node1 for 1s", "got 1 nodes, want all"},
		{"no duration", cluster + "3m kill node1", "got a duration of 0s, want one above 0"},
		{"a duration too many", cluster + "3m reload for 1m", "got a duration of 1m0s, but reload takes none"},
		{"negative", cluster + "-3m kill node1 for 1m", "want within 0s to 1h0m0s"},
		{"too late", cluster + "59m30s kill node1 for 1m", "it lasts from 59m30s to 1h0m30s"},
		{"does not fit", cluster + "3m store-flush", "store-flush does not fit the cluster"},
		{"no time", cluster + "soon kill node1 for 1m", `line 3: reading "soon kill node1 for 1m"`},
		{"half a line", cluster + "3m", `line 3: reading "3m": want TIME KIND`},
		{"words after it", cluster + "3m kill node1 during 1m", `got "during 1m", want for DURATION`},
		{"bad seed", "seed x\n" + cluster, `line 1: reading "seed x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseSchedule(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v and error %v, want %q in it", s, err, tt.want)
			}
		})
	}
}

// TestRunRefuses checks that Run checks schedules that were not parsed, too.
func TestRunRefuses(t *testing.T) {
	s := Random(7, time.Hour, setups)
	s.Operations = append(s.Operations, Operation{At: 2 * time.Hour, Kind: "reload"})
	_, err := Run(t.Context(), s)
	if err == nil || !strings.Contains(err.Error(), "simulating seed 7: operation") {
		t.Errorf("got %v, want that an operation is too late", err)
	}
}

// TestShrink checks that the operation that matters remains, at the beginning.
func TestShrink(t *testing.T) {
	s, err := ParseSchedule(threeNodes + "5m busy-prober for 20s\n9m kill node1 for 1m\n20m reload\n31m restart node2 for 2s\n40m reverse for 1m")
	must.Succeed(t, err)
	runs := 0
	run := func(s Schedule) Result {
		runs++
		r := Result{Schedule: s, Began: began}
		if i := slices.IndexFunc(s.Operations, func(o Operation) bool { return o.Kind == "restart" }); i >= 0 {
			r.Notifications = []alerting.Notification{firedNotification(s.Operations[i].At+10*time.Second, checks.Critical, checks.SessionDrift, "")}
		}
		return r
	}
	got := shrink(s, string(False)+": session_drift", run)
	want := s
	want.Operations = []Operation{{At: warmUp, Kind: "restart", Nodes: []string{"node2"}, For: 2 * time.Second}}
	want.Length = 7*time.Minute + 2*time.Second
	if diff := cmp.Diff(want, got); diff != "" || runs > 20 {
		t.Errorf("%d runs (-want +got):\n%s", runs, diff)
	}
	if err := got.Check(); err != nil {
		t.Errorf("what is left cannot be simulated: %v", err)
	}
}

func TestReduce(t *testing.T) {
	list := make([]Operation, 12)
	for i := range list {
		list[i].At = time.Duration(i)
	}
	for _, wanted := range [][]time.Duration{{0}, {11}, {5}, {2, 9}, {0, 6, 11}} {
		runs := 0
		got := reduce(list, func(list []Operation) bool {
			runs++
			return !slices.ContainsFunc(wanted, func(at time.Duration) bool {
				return !slices.ContainsFunc(list, func(o Operation) bool { return o.At == at })
			})
		})
		var at []time.Duration
		for _, o := range got {
			at = append(at, o.At)
		}
		if diff := cmp.Diff(wanted, at); diff != "" || runs > 60 {
			t.Errorf("%d runs (-want +got):\n%s", runs, diff)
		}
	}
}

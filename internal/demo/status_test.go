package demo

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func readStatus(t *testing.T, n *Node) status {
	t.Helper()
	var s status
	if err := json.Unmarshal([]byte(newBrowser(t).get(n.URL()+"/status").Body), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatusNamesWhatIsUnavailable(t *testing.T) {
	var redis, db atomic.Bool
	check := func(up *atomic.Bool) func(context.Context) error {
		return func(context.Context) error {
			if up.Load() {
				return nil
			}
			return errors.New("gone")
		}
	}
	n := startNode(t, NodeConfig{ID: "node1", Dependencies: map[string]func(context.Context) error{
		"Redis Server": check(&redis), "DB Service": check(&db),
	}})
	var got []string
	for _, up := range [][2]bool{{true, true}, {false, true}, {false, false}} {
		redis.Store(up[0])
		db.Store(up[1])
		s := readStatus(t, n)
		got = append(got, s.State+": "+s.Reason)
	}
	want := []string{
		"running: ",
		"paused: The following dependent services are unavailable: Redis Server",
		"paused: The following dependent services are unavailable: DB Service, Redis Server",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state and reason (-want +got):\n%s", diff)
	}
}

// TestStatusHasTheDocumentedKeys checks the keys of the vendor's example.
func TestStatusHasTheDocumentedKeys(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	n.Set(NodeFaults{Paused: "maintenance"})
	const example = `{"version":"","enableTls":0,"scaling":"","logging":0,"state":"","reason":"","main":{"cpu":{"current":0,"max":0},
		"memory":{"current":0,"max":0},"connections":{"total":0,"current":0,"max":0},"messages":{"processed":0},
		"restCalls":{"received":0},"up_since":"","pid":0}}`
	var want, got any
	if err := json.Unmarshal([]byte(example), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(newBrowser(t).get(n.URL()+"/status").Body), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(keys(want), keys(got)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// keys replaces every value by nil.
func keys(v any) any {
	object, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	for key := range object {
		object[key] = keys(object[key])
	}
	return object
}

func TestRestartShowsInStatus(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1", UpSince: time.Date(2018, 4, 8, 2, 12, 42, 0, time.UTC)})
	before := readStatus(t, n)
	if got, want := before.Main.UpSince, "2018-4-8 02:12:42"; got != want {
		t.Errorf("up_since %q, want %q", got, want)
	}
	if err := n.Restart(); err != nil {
		t.Fatal(err)
	}
	after := readStatus(t, n)
	if before.Main.PID == after.Main.PID || before.Main.UpSince == after.Main.UpSince || after.Main.RESTCalls.Received != 1 {
		t.Errorf("still the same process: %+v, then %+v", before.Main, after.Main)
	}
}

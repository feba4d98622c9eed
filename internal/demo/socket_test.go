package demo

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPollIsPingedAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, began := newSockets().open("polling"), time.Now()
		packets, ok := s.poll(t.Context())
		if diff := cmp.Diff([]string{"2"}, packets); diff != "" || !ok {
			t.Errorf("packets (-want +got):\n%s", diff)
		}
		if waited := time.Since(began); waited != pingInterval {
			t.Errorf("waited %v, want %v", waited, pingInterval)
		}
	})
}

func TestPollEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(s *socket, leave func())
		want []string
	}{
		{"with a packet", func(s *socket, _ func()) { s.send("42") }, []string{"42"}},
		{"for an upgrade", func(s *socket, _ func()) { s.release() }, []string{"6"}},
		{"when the client leaves", func(_ *socket, leave func()) { leave() }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				s := newSockets().open("polling")
				go func() {
					synctest.Wait() // until the poll below waits
					tt.end(s, leave)
				}()
				packets, _ := s.poll(ctx)
				if diff := cmp.Diff(tt.want, packets); diff != "" {
					t.Errorf("packets (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestSilentSocketsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss := newSockets()
		silent, talking := ss.open("polling"), ss.open("polling")
		time.Sleep(30 * time.Second) // virtual time
		ss.receive(talking, "3")
		time.Sleep(30 * time.Second)
		ss.open("polling")
		if ss.get(silent.id) != nil || ss.get(talking.id) == nil {
			t.Error("want the silent one forgotten, and the other kept")
		}
		if diff := cmp.Diff(statusCounts{Total: 3, Current: 2, Max: 2}, ss.counts()); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
	})
}

// TestSocketIDsCount checks the last four characters of ids, a counter by which
// monitors distinguish processes.
func TestSocketIDsCount(t *testing.T) {
	ss := newSockets()
	var got []string
	for range 3 {
		id := ss.open("polling").id
		got = append(got, id[len(id)-4:])
	}
	if diff := cmp.Diff([]string{"AAAA", "AAAB", "AAAC"}, got); diff != "" {
		t.Errorf("ends of ids (-want +got):\n%s", diff)
	}
}

package evidence

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/probes"
)

// read reads once more, and fails the test if there is an error.
func read(t *testing.T, f *Follower, seconds int) probes.EvidenceObservation {
	t.Helper()
	obs := f.Read(t.Context(), second(seconds))
	if obs.Error != "" {
		t.Fatalf("reading after %d s: %s", seconds, obs.Error)
	}
	return obs
}

func follow(t *testing.T, path string) *Follower {
	f := Follow(path, options)
	t.Cleanup(func() { f.Close() })
	return f
}

func TestFollowerReadsEveryLineOnce(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	f := follow(t, l.path)
	if obs := f.Read(t.Context(), second(0)); !strings.Contains(obs.Error, "no such file") {
		t.Fatalf("Error = %q before there is a log, want that there is no such file", obs.Error)
	}
	l.eject(0, node1)
	whole := ejection(1, node2)
	l.write(1, whole[:40])
	for i, want := range []map[string]int{{node1: 1}, {node1: 1}, {node1: 1, node2: 1}, {node1: 1, node2: 2}} {
		switch i {
		case 2:
			l.write(2, whole[40:])
		case 3:
			l.eject(3, node2)
		}
		expect.Equal(t, fmt.Sprintf("lines at read %d", i), want, lines(read(t, f, 2+i)))
	}
}

func TestFollowerRotation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		rotate func(l *log)
		want   map[string]int
	}{
		{
			"renamed, and created",
			func(l *log) { l.rename(l.path + ".1"); l.eject(2, node2) },
			map[string]int{node1: 2, node2: 1},
		},
		{
			"renamed, and not yet created",
			func(l *log) { l.rename(l.path + ".1") },
			map[string]int{node1: 2},
		},
		{
			"written to after it was renamed",
			func(l *log) {
				l.eject(2, node2)
				l.rename(l.path + ".1")
				(&log{l.t, l.path + ".1"}).eject(2, node1)
				l.write(2, "")
			},
			map[string]int{node1: 3, node2: 1},
		},
		{
			"copied and truncated",
			func(l *log) { truncate(l); l.eject(2, node2) },
			map[string]int{node1: 2, node2: 1},
		},
		{
			"truncated, and grown past where it was",
			func(l *log) {
				truncate(l)
				for range 5 {
					l.eject(2, node2)
				}
			},
			map[string]int{node1: 2, node2: 5},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			f := follow(t, l.path)
			l.eject(0, node1)
			l.eject(1, node1)
			read(t, f, 1)
			test.rotate(l)
			expect.Equal(t, "lines", test.want, lines(read(t, f, 3)))
			// After every error it continues, and keeps no file open longer than
			// needed.
			l.eject(4, node2)
			test.want[node2]++
			read(t, f, 5)
			expect.Equal(t, "lines after that", test.want, lines(read(t, f, 5)))
			if len(f.files) != 1 {
				t.Errorf("%d files are open, want the log alone", len(f.files))
			}
		})
	}
}

// TestFollowerReadsRenamedFile: nginx writes to the renamed file until it reopens its
// logs, even after the new file was created.
func TestFollowerReadsRenamedFile(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	f := follow(t, l.path)
	l.eject(0, node1)
	read(t, f, 0)
	l.rename(l.path + ".1")
	l.write(1, "")
	read(t, f, 1)
	(&log{t, l.path + ".1"}).eject(2, node1)
	expect.Equal(t, "lines", map[string]int{node1: 2}, lines(read(t, f, 3)))
}

func TestFollowerIsBounded(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	f := follow(t, l.path)
	var text strings.Builder
	for i := range 2 * maxRecords {
		text.WriteString(ejection(0, fmt.Sprintf("host%d:80", i)))
	}
	for i := range 2 * maxEpisodes {
		text.WriteString(ejection(100*(i+1), node1))
	}
	l.write(100*2*maxEpisodes, text.String()+strings.Repeat("x", 2*maxLine))
	obs := read(t, f, 100*2*maxEpisodes+1)
	if len(obs.Servers) != maxRecords {
		t.Errorf("%d servers are remembered, want %d", len(obs.Servers), maxRecords)
	}
	i := slices.IndexFunc(obs.Servers, func(s probes.ServerEvidence) bool { return s.Server == node1 })
	if i < 0 || len(obs.Servers[i].Episodes) != maxEpisodes {
		t.Fatalf("the one seen last has not its last %d episodes: %+v", maxEpisodes, obs.Servers)
	}
	if last := obs.Servers[i].Episodes[maxEpisodes-1].Last; !last.Equal(second(100 * 2 * maxEpisodes)) {
		t.Errorf("the last episode ends at %v, want the newest", last)
	}
}

func TestFollowerErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if obs := readOnce(t.Context(), dir, start, options); !strings.Contains(obs.Error, "not a regular file") {
		t.Errorf("Error = %q for a directory, want that it is not a regular file", obs.Error)
	}
	l := newLog(t)
	l.eject(0, node1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if obs := readOnce(ctx, l.path, start, options); !strings.Contains(obs.Error, "canceled") || obs.Servers != nil {
		t.Errorf("got %+v once the context has ended, want its error and no servers", obs)
	}
}

package evidence

import (
	"fmt"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/probes"
)

// refusal returns the line of a failed request to node1, which a worker writes at the
// level error.
func refusal(seconds int, worker string) string {
	return fmt.Sprintf("%s [error] %s#7: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.1, "+
		"server: shop, request: \"GET / HTTP/1.1\", upstream: \"http://%s/\"\n", second(seconds).Format("2006/01/02 15:04:05"), worker, node1)
}

func TestFailures(t *testing.T) {
	t.Parallel()
	type failure struct {
		at     int // second
		worker string
	}
	type counts struct{ run, ofWorker, workers int }
	tests := []struct {
		name     string
		failures []failure
		want     counts
	}{
		{"within fail_timeout", []failure{{0, "1"}, {4, "1"}, {14, "1"}, {24, "1"}}, counts{4, 4, 1}},
		{"a pause longer than that", []failure{{0, "1"}, {4, "1"}, {15, "1"}, {15, "1"}}, counts{2, 2, 1}},
		{"of two workers", []failure{{0, "1"}, {0, "2"}, {1, "1"}, {2, "1"}}, counts{4, 3, 2}},
		{"one worker pauses, and the other does not", []failure{{0, "1"}, {1, "1"}, {5, "2"}, {12, "1"}}, counts{4, 1, 2}},
		{"a worker of an earlier run counts no more", []failure{{0, "1"}, {20, "2"}}, counts{1, 1, 1}},
		{"a worker's clock is behind", []failure{{5, "1"}, {4, "2"}, {15, "1"}}, counts{3, 2, 2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			for _, f := range test.failures {
				l.write(f.at, refusal(f.at, f.worker))
			}
			f := read(t, follow(t, l.path), 30).Servers[0].Failures
			if got := (counts{f.Run, f.RunOfWorker, f.Workers}); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if !f.Since.Equal(second(test.failures[0].at)) {
				t.Errorf("known since %v, want the first line's time", f.Since)
			}
		})
	}
}

func TestFailuresBySecond(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	for _, at := range []int{0, 0, 2, 1, 2, 300} {
		l.write(at, refusal(at, "1"))
	}
	want := []probes.SecondCount{{At: second(0), Count: 2}, {At: second(1), Count: 1}, {At: second(2), Count: 2}, {At: second(300), Count: 1}}
	expect.Equal(t, "seconds", want, read(t, follow(t, l.path), 301).Servers[0].Failures.Seconds)
}

func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	var a upstreamFailures
	for i := range 3 * maxSeconds {
		a.add(line{at: second(i), worker: fmt.Sprint(i)}, time.Minute)
	}
	checkFailures(t, a)
	f := a.failures(start)
	if f.Run != 3*maxSeconds || f.Workers != maxWorkers || len(f.Seconds) != maxSeconds {
		t.Errorf("got a run of %d, %d workers and %d seconds, want %d, %d and %d", f.Run, f.Workers, len(f.Seconds), 3*maxSeconds, maxWorkers, maxSeconds)
	}
	if newest := f.Seconds[maxSeconds-1].At; !newest.Equal(second(3*maxSeconds - 1)) {
		t.Errorf("the newest second is %v, want the last", newest)
	}
}

// TestFailuresOfAMisdatedLog: a log with wrong times has no failures either.
func TestFailuresOfAMisdatedLog(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(8*60*60, refusal(0, "1"))
	s := read(t, follow(t, l.path), 8*60*60+5).Servers[0]
	if s.Fails != 1 || !s.Failures.Since.IsZero() || s.Failures.Run != 0 {
		t.Errorf("got %d failures, and of their times %+v; want 1, and nothing", s.Fails, s.Failures)
	}
}

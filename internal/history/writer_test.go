package history

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	sqlite3 "modernc.org/sqlite/lib"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/internal/panics"
)

// every returns n samples of a target at a fixed interval.
func every(of checks.Target, from time.Time, interval time.Duration, n int) []checks.Sample {
	all := make([]checks.Sample, n)
	for i := range all {
		all[i] = checks.Sample{
			Target: of, At: from.Add(time.Duration(i) * interval), OK: i%500 != 3,
			Latency: time.Duration(1500+i%700) * time.Microsecond, Status: 200,
		}
	}
	return all
}

// TestQueueDropsTheOldest: the queue drops the oldest rows, including requeued ones, and
// counts them.
func TestQueueDropsTheOldest(t *testing.T) {
	q := queue{bound: 4}
	q.put(Batch{Samples: every(node, testTime, time.Second, 3)})
	b := q.take()
	q.put(Batch{Samples: every(node, testTime.Add(time.Minute), time.Second, 2)})
	q.requeue(b)
	if length, dropped := q.state(); length != 4 || dropped != 1 {
		t.Errorf("got %d waiting and %d dropped, want 4 and 1", length, dropped)
	}
	if got, want := q.take().Samples[0].At, testTime.Add(time.Second); !got.Equal(want) {
		t.Errorf("the oldest that is left is of %s, want %s", got, want)
	}
}

// TestQueueDoesNotModifyInput: the queue does not modify recorded slices.
func TestQueueDoesNotModifyInput(t *testing.T) {
	mine := every(node, testTime, -time.Second, 3)
	want := every(node, testTime, -time.Second, 3)
	db := opened(t)
	write(t, db, Batch{Samples: mine[:2]})
	expect.Equal(t, "samples", want, mine)
}

// TestFullDisk: rows that cannot be written are queued, the oldest beyond the bound are
// dropped, and the rest is written when there is space.
func TestFullDisk(t *testing.T) {
	const bound = 30_000
	db := opened(t, func(c *Config) { c.Queue = bound })
	fill := func(pages int) {
		t.Helper()
		var got int
		must.Succeed(t, writerOf(db).QueryRowContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(&got))
	}
	fill(60)
	db.Record(Batch{Samples: every(node, testTime, time.Second, bound)})
	if err := db.flush(t.Context()); !is(err, sqlite3.SQLITE_FULL) {
		t.Fatalf("got error %v, want that the disk is full", err)
	}
	s := db.Stats()
	if s.Queue == 0 || s.Dropped != 0 || s.WriteErrors != 1 || s.LastError == "" {
		t.Errorf("got %+v, want rows to wait, none to be dropped and an error", s)
	}
	written := bound - s.Queue
	db.Record(Batch{Samples: every(node, testTime.Add(24*time.Hour), time.Second, bound-s.Queue+10)})
	if s := db.Stats(); s.Queue != bound || s.Dropped != 10 {
		t.Errorf("got %d waiting and %d dropped, want %d and 10", s.Queue, s.Dropped, bound)
	}
	fill(1 << 20)
	must.Succeed(t, db.flush(t.Context()))
	if got, want := rowsOf(t, db)[samples], bound+written; got != want {
		t.Errorf("got %d samples, want %d", got, want)
	}
	if s := db.Stats(); s.Queue != 0 || s.LastError != "" {
		t.Errorf("got %+v, want nothing to wait and no error", s)
	}
}

// TestHangingWrite: a write that the disk neither completes nor refuses counts as failed
// until it is completed.
func TestHangingWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(strings.Builder)
		db := &DB{meter: newMeter(), config: Config{Logger: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now}}
		disk, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			_ = db.measure(func() error { <-disk; return nil })
		}()
		time.Sleep(HangsAfter - time.Second)
		if s := db.meter.stats(); s != (Stats{}) {
			t.Errorf("early: got %+v, want nothing", s)
		}
		time.Sleep(2 * time.Second)
		if s := db.meter.stats(); s.LastError != ErrHangs.Error() || s.WriteErrors != 1 || !strings.Contains(log.String(), s.LastError) {
			t.Errorf("late: got %+v and log %q, want the error %q in both", s, log, ErrHangs)
		}
		close(disk)
		<-done
		if s := db.meter.stats(); s.LastError != "" || s.WriteErrors != 1 || !s.LastWrite.Equal(time.Now()) {
			t.Errorf("completed: got %+v, want a write at %s", s, time.Now())
		}
	})
}

// TestLockedFileDoesNotBlock: while another process locks the file, Record does not block and
// the batch stays queued.
func TestLockedFileDoesNotBlock(t *testing.T) {
	db := opened(t)
	other, err := openWriter(db.path)
	must.Succeed(t, err)
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	must.Succeed(t, err)
	db.Record(Batch{Samples: every(node, testTime, time.Second, 1)})
	if err := db.flush(t.Context()); !is(err, sqlite3.SQLITE_BUSY) {
		t.Errorf("got error %v, want that the file is locked", err)
	}
	must.Succeed(t, tx.Rollback())
	if err := db.flush(t.Context()); err != nil {
		t.Error(err)
	}
	expect.Equal(t, "samples", 1, rowsOf(t, db)[samples])
}

// TestTooLate: a sample of a deleted period is dropped.
func TestTooLate(t *testing.T) {
	db := opened(t)
	write(t, db, Batch{Samples: every(node, testTime.Add(-10*24*time.Hour), time.Minute, 10)})
	must.Succeed(t, db.maintain(t.Context(), testTime))
	write(t, db, Batch{Samples: every(node, testTime.Add(-10*24*time.Hour), time.Second, 2)})
	if got := db.Stats().Dropped; got != 2 {
		t.Errorf("got %d dropped, want 2", got)
	}
}

// TestSameMillisecond: samples of a target in the same millisecond are all kept, in one batch or
// in several.
func TestSameMillisecond(t *testing.T) {
	db := opened(t)
	for range 3 {
		write(t, db, Batch{Samples: slices.Concat(every(node, testTime, time.Second, 2), every(node, testTime, time.Second, 2))})
	}
	expect.Equal(t, "samples", 12, rowsOf(t, db)[samples])
	uptimes, err := db.Uptimes(t.Context(), node.Cluster, checks.Span{From: testTime, To: testTime.Add(time.Minute)})
	if err != nil || len(uptimes) != 1 || uptimes[0].Probes != 12 {
		t.Errorf("got %+v and error %v, want 12 probes", uptimes, err)
	}
}

func TestSizeCap(t *testing.T) {
	const bound = 1 << 20
	db := opened(t, func(c *Config) { c.MaxSize, c.Queue = bound, 200_000 })
	write(t, db, Batch{Samples: every(node, testTime.Add(-24*time.Hour), time.Second, 24*3600)})
	before, err := db.Uptimes(t.Context(), "shop", checks.Span{To: testTime})
	must.Succeed(t, err)
	for range 48 { // each iteration deletes an hour of samples
		must.Succeed(t, db.maintain(t.Context(), testTime))
	}
	used, err := db.engine.usedBytes(t.Context())
	if err != nil || used > bound {
		t.Errorf("got %d bytes in use and error %v, want at most %d", used, err, bound)
	}
	after, err := db.Uptimes(t.Context(), "shop", checks.Span{To: testTime})
	must.Succeed(t, err)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("uptime, before and after (-/+):\n%s", diff)
	}
}

func TestCloseWritesWhatWaits(t *testing.T) {
	db := opened(t)
	db.Record(Batch{Samples: every(node, testTime, time.Second, 3)})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.flush(cancelled); err == nil {
		t.Error("a cancelled context wrote a batch")
	}
	expect.Equal(t, "samples that wait", 3, db.Stats().Queue)
}

func TestCollector(t *testing.T) {
	db := opened(t)
	write(t, db, Batch{Samples: every(node, testTime, time.Second, 3)})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(db.Collector())
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("got problems %v and error %v", problems, err)
	}
	if n, err := testutil.GatherAndCount(registry); err != nil || n != 5 {
		t.Errorf("got %d series and error %v, want 5", n, err)
	}
}

// TestRecoveryIsLogged: the first successful write after a failure is logged.
func TestRecoveryIsLogged(t *testing.T) {
	lines := make(chan string, 100)
	path := filepath.Join(t.TempDir(), "stickwatch.db")
	db, err := Open(t.Context(), Config{Path: path, Flush: time.Millisecond, Logger: slog.New(slog.NewTextHandler(lineWriter(lines), nil))})
	must.Succeed(t, err)
	defer db.Close(context.WithoutCancel(t.Context()))
	other, err := openWriter(path)
	must.Succeed(t, err)
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	must.Succeed(t, err)
	db.Record(Batch{Samples: []checks.Sample{{Target: node, At: testTime, OK: true}}})
	if got := <-lines; !strings.Contains(got, "writing the history") {
		t.Errorf("got %q, want that it fails", got)
	}
	must.Succeed(t, tx.Rollback())
	for line := range lines {
		if strings.Contains(line, "the history can be written again") {
			return
		}
	}
}

// A lineWriter sends each line to a channel.
type lineWriter chan<- string

func (w lineWriter) Write(line []byte) (int, error) {
	w <- string(line)
	return len(line), nil
}

// TestPanicWhileWriting: a batch that makes the writer panic is dropped and counted, and the
// next one is written.
func TestPanicWhileWriting(t *testing.T) {
	db := opened(t)
	remove := panics.SetTestHook(func(string) { panic("broken") })
	defer remove()
	db.Record(Batch{Samples: every(node, testTime, time.Second, 3)})
	must.Succeed(t, db.flush(t.Context()))
	remove()
	if length, dropped := db.queue.state(); length != 0 || dropped != 3 {
		t.Errorf("got %d waiting and %d dropped, want 0 and 3", length, dropped)
	}
	write(t, db, Batch{Samples: every(node, testTime.Add(time.Minute), time.Second, 2)})
}

// TestPanicInTransaction: a panic rolls back and releases the writing connection.
func TestPanicInTransaction(t *testing.T) {
	db := opened(t)
	for _, durable := range []bool{false, true} {
		err := panics.Catch(panics.History, func() {
			_ = db.engine.commit(t.Context(), durable, func(tx *transaction) error {
				if _, err := tx.Exec("CREATE TABLE half (a INTEGER)"); err != nil {
					t.Error(err)
				}
				panic("broken")
			})
		})
		if err == nil {
			t.Errorf("durable %v: got no error", durable)
		}
		err = db.engine.commit(t.Context(), durable, func(tx *transaction) error {
			_, err := tx.Exec("CREATE TABLE half (a INTEGER)")
			return err
		})
		if err != nil {
			t.Errorf("durable %v: after a panic: %v", durable, err)
		}
		if _, err := writerOf(db).Exec("DROP TABLE half"); err != nil {
			t.Error(err)
		}
	}
}

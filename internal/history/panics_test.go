package history

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"stickwatch/internal/panics"
)

// TestPanicWhileWriting: a batch that makes the writer panic is dropped and
// counted, and the next one is written.
func TestPanicWhileWriting(t *testing.T) {
	db := opened(t)
	remove := panics.Inject(func(string) { panic("broken") })
	defer remove()
	db.Record(Batch{Samples: every(node, testTime, time.Second, 3)})
	if err := db.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	remove()
	if length, dropped := db.queue.state(); length != 0 || dropped != 3 {
		t.Errorf("got %d waiting and %d dropped, want 0 and 3", length, dropped)
	}
	write(t, db, Batch{Samples: every(node, testTime.Add(time.Minute), time.Second, 2)})
}

// TestPanicInTransaction: it is rolled back, and gives the only connection that
// writes back.
func TestPanicInTransaction(t *testing.T) {
	db := opened(t)
	for name, run := range map[string]func(context.Context, *sql.DB, func(*sql.Tx) error) error{"swiftly": commitRelaxed, "durably": commitDurable} {
		err := panics.Catch(panics.History, func() {
			_ = run(t.Context(), db.writer, func(tx *sql.Tx) error {
				if _, err := tx.Exec("CREATE TABLE half (a)"); err != nil {
					t.Error(err)
				}
				panic("broken")
			})
		})
		if err == nil {
			t.Errorf("%s: got no error", name)
		}
		err = run(t.Context(), db.writer, func(tx *sql.Tx) error {
			_, err := tx.Exec("CREATE TABLE half (a)")
			return err
		})
		if err != nil {
			t.Errorf("%s: after a panic: %v", name, err)
		}
		if _, err := db.writer.Exec("DROP TABLE half"); err != nil {
			t.Error(err)
		}
	}
}

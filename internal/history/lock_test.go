//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package history

import (
	"context"
	"errors"
	"strings"
	"testing"

	"stickwatch/internal/must"
)

// TestOneWriter: a second writer fails and changes nothing, readers can open and close at any
// time, and a writer can open the history after the first one has closed it.
func TestOneWriter(t *testing.T) {
	first, err := Open(t.Context(), Config{Path: t.TempDir() + "/stickwatch.db"})
	must.Succeed(t, err)
	closeFirst := func() error { return first.Close(context.WithoutCancel(t.Context())) }
	t.Cleanup(func() { _ = closeFirst() })
	commit(t, first, notification("a1", "ops", "a"))
	held := claimed(t, first, "ops", testTime)

	_, err = Open(t.Context(), Config{Path: first.path})
	if inUse, ok := errors.AsType[*InUseError](err); !ok || inUse.Path != first.path || !strings.Contains(err.Error(), "another stickwatch process is using") {
		t.Errorf("got error %v, want one that says who writes %q", err, first.path)
	}
	if again := claimed(t, first, "ops", testTime); again.ID != "" {
		t.Errorf("got %q again, which is held: the second has ended the claim of %q", again.ID, held.ID)
	}
	reader, err := OpenReader(t.Context(), first.path)
	if err != nil {
		t.Fatalf("reading while it is written: %v", err)
	}
	must.Succeed(t, errors.Join(reader.Close(), closeFirst()))
	second, err := Open(t.Context(), Config{Path: first.path})
	if err != nil {
		t.Fatalf("opening what was closed: %v", err)
	}
	if err := second.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRefusedFileIsNotLocked: after Open failed, the same process can repair the file and
// open it again.
func TestRefusedFileIsNotLocked(t *testing.T) {
	path := t.TempDir() + "/stickwatch.db"
	inFile(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
	for range 2 {
		_, err := open(t.Context(), Config{Path: path})
		if _, ok := errors.AsType[*newerError](err); !ok {
			t.Errorf("got error %v, want that the schema is newer", err)
		}
	}
}

package daemon

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
)

// TestAdminSocketIsPrivate: file permissions decide who may open it, and the daemon
// removes it when it ends.
func TestAdminSocketIsPrivate(t *testing.T) {
	for group, want := range map[string]os.FileMode{"": 0o600, strconv.Itoa(os.Getgid()): 0o660} {
		path := shortPath(t)
		socket, err := listenAdmin(t.Context(), path, group)
		must.Succeed(t, err)
		file, err := os.Stat(path)
		if err != nil || file.Mode() != want|os.ModeSocket {
			t.Errorf("group %q: got mode %s, want %s: %v", group, file.Mode(), want, err)
		}
		if err := socket.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
			t.Errorf("it left %v: %v", left, err)
		}
	}
	if _, err := listenAdmin(t.Context(), shortPath(t), "no-such-group"); err == nil {
		t.Error("a group that does not exist is taken")
	}
}

// TestAdminSocketReplacesNothing: only a socket left by an ended daemon is replaced.
func TestAdminSocketReplacesNothing(t *testing.T) {
	path := shortPath(t)
	first, err := listenAdmin(t.Context(), path, "")
	must.Succeed(t, err)
	if _, err := listenAdmin(t.Context(), path, ""); err == nil || !strings.Contains(err.Error(), "another daemon is using it") {
		t.Errorf("got %v while another daemon runs", err)
	}
	first.UnixListener.Close() // as kill -9 leaves it
	second, err := listenAdmin(t.Context(), path, "")
	if err != nil {
		t.Fatalf("got %v after a crash", err)
	}
	if err := first.Close(); err == nil {
		t.Error("it was closed already")
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("another's socket was taken away: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	must.Succeed(t, os.WriteFile(path, []byte("mine"), 0o600))
	if _, err := listenAdmin(t.Context(), path, ""); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("got %v for a regular file", err)
	}
}

// TestNoAdminSocket: the daemon runs without it, unless a path was configured.
func TestNoAdminSocket(t *testing.T) {
	r := newRig(t)
	taken := Config{Load: r.load, Prober: &monitor.Prober{}, Notifier: r.notifier, AdminSocket: t.TempDir()}
	if _, err := Start(t.Context(), taken); err == nil {
		t.Error("a socket that was named and cannot be had is no error")
	}
	must.Succeed(t, os.Mkdir(filepath.Join(r.dir, "history.db.sock"), 0o700))
	taken.AdminSocket = ""
	d, err := Start(t.Context(), taken)
	if err != nil || d.admin != nil {
		t.Fatalf("got a socket where a directory is: %v", err)
	}
	if err := d.close(t.Context()); err != nil {
		t.Error(err)
	}
}

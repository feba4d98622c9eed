package lab

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"

	"github.com/google/go-cmp/cmp"
)

func TestRequire(t *testing.T) {
	tests := []struct {
		name, ci, program, want string
	}{
		{"installed", "", "go", "passed"},
		{"installed, in CI", "true", "go", "passed"},
		{"missing", "", "no-such-server", `skipped: the lab needs "no-such-server", which is not installed`},
		{"missing, in CI", "true", "no-such-server", `failed: the lab needs "no-such-server", which is not installed`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("CI", test.ci)
			expect.Equal(t, "outcome", test.want, outcome(t, func(tb testing.TB) { Require(tb, test.program) }))
		})
	}
}

func TestFindsServersOutsidePATH(t *testing.T) {
	Require(t, "nginx", "postgres")
	t.Setenv("PATH", "")
	for _, name := range []string{"nginx", "postgres"} {
		if path, ok := find(name); !ok || filepath.Base(path) != name {
			t.Errorf("find(%q) = %q, %v with an empty PATH", name, path, ok)
		}
	}
}

func TestKeepLogs(t *testing.T) {
	kept, logs := t.TempDir(), t.TempDir()
	t.Setenv("STICKWATCH_LAB_LOGS", kept)
	must.Succeed(t, os.WriteFile(filepath.Join(logs, "error.log"), []byte("no live upstreams\n"), 0o644))
	for range 2 { // two servers of one kind in one test
		keepLogs(t, "nginx", logs)
	}
	files, err := filepath.Glob(filepath.Join(kept, "TestKeepLogs", "nginx-*", "error.log"))
	if err != nil || len(files) != 2 {
		t.Fatalf("kept %q, want a copy of error.log for each of two servers", files)
	}
	content, err := os.ReadFile(files[0])
	if diff := cmp.Diff("no live upstreams\n", string(content)); err != nil || diff != "" {
		t.Errorf("kept log: %v (-want +got):\n%s", err, diff)
	}
}

// A fakeTB records whether a test is skipped or failed.
type fakeTB struct {
	testing.TB
	outcome string
}

func (f *fakeTB) Helper() {}

func (f *fakeTB) Skipf(format string, args ...any) { f.end("skipped", format, args) }

func (f *fakeTB) Fatalf(format string, args ...any) { f.end("failed", format, args) }

func (f *fakeTB) end(how, format string, args []any) {
	f.outcome = how + ": " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// outcome runs a test body on a goroutine that it may end, as package testing does.
func outcome(tb testing.TB, body func(testing.TB)) string {
	fake := &fakeTB{TB: tb, outcome: "passed"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		body(fake)
	}()
	<-done
	return fake.outcome
}

func TestFreeAddrIsReserved(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 50 {
		addr := FreeAddr(t)
		if seen[addr] {
			t.Errorf("FreeAddr gave %s twice", addr)
		}
		seen[addr] = true
		if _, ok := reserve(addr); ok {
			t.Errorf("%s is reserved, but could be reserved again", addr)
		}
		listener, err := net.Listen("tcp4", addr)
		if err != nil {
			t.Errorf("listening on a free address: %v", err)
			continue
		}
		listener.Close()
	}
}

// TestFreeAddrIsReleased is not parallel: a process forked by another test has the lock for
// a moment, too.
func TestFreeAddrIsReleased(t *testing.T) {
	var addr string
	t.Run("inner", func(t *testing.T) { addr = FreeAddr(t) })
	release, ok := reserve(addr)
	if !ok {
		t.Fatalf("%s is still reserved after its test", addr)
	}
	release()
}

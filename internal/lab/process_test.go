package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/must"
)

func TestStartFailsEarlyWithTheLog(t *testing.T) {
	t.Parallel()
	n := newNginx(t, NginxConfig{Servers: nodes(t, "node1"), ExtraServers: "sever { }"})
	began := time.Now()
	err := n.start()
	if !errors.Is(err, errExited) || !strings.Contains(err.Error(), `unknown directive "sever"`) {
		t.Fatalf("starting with a broken configuration = %v, want an early exit and nginx's own message", err)
	}
	if took := time.Since(began); took >= readyWithin {
		t.Errorf("it took %v to fail, as long as a server may take to start", took)
	}
}

func TestStartTwiceIsAnError(t *testing.T) {
	t.Parallel()
	server := Memcached(t)
	if err := server.start(); err == nil || !strings.Contains(err.Error(), "running already") {
		t.Errorf("starting a running server = %v, want an error", err)
	}
}

func TestSuspendAndResume(t *testing.T) {
	t.Parallel()
	needProc(t)
	server := Memcached(t)
	server.Suspend()
	await(t, "frozen", func() bool { return state(server.PID()) == "T" })
	server.Resume()
	await(t, "running", func() bool { return state(server.PID()) != "T" })
	if got := sendText(t, server.Process, "verbosity 0\r\nquit\r\n"); got != "OK\r\n" {
		t.Errorf("a thawed server answers %q, want OK", got)
	}

	server.Suspend()
	processes := descendants(t, server.PID())
	server.Stop()
	checkGone(t, "stopped while frozen", server.Process, processes)
}

// TestServersDieWithTheTestProcess: a test process that is killed runs no cleanup, but
// its servers and their workers must stop.
func TestServersDieWithTheTestProcess(t *testing.T) {
	t.Parallel()
	needProc(t)
	Require(t, "nginx")
	holder := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHoldServers$", "-test.v")
	holder.Env = append(os.Environ(), "LAB_HOLD_SERVERS=1", "TMPDIR="+t.TempDir())
	output, err := holder.StdoutPipe()
	must.Succeed(t, err)
	must.Succeed(t, holder.Start())
	var master int
	for lines := bufio.NewScanner(output); master == 0 && lines.Scan(); {
		fmt.Sscanf(lines.Text(), "holding %d", &master)
	}
	processes := descendants(t, master)
	must.Succeed(t, holder.Process.Kill())
	holder.Wait()
	await(t, "gone", func() bool { return len(runningPIDs(processes)) == 0 })
}

// TestHoldServers is not a test but the process that TestServersDieWithTheTestProcess
// kills.
func TestHoldServers(t *testing.T) {
	if os.Getenv("LAB_HOLD_SERVERS") == "" {
		t.Skip("run by TestServersDieWithTheTestProcess")
	}
	n := Nginx(t, NginxConfig{Servers: []Server{{Addr: FreeAddr(t)}}, Workers: 2})
	fmt.Printf("holding %d\n", n.PID())
	select {}
}

// checkGone fails the test if a server still accepts connections, or any process of its
// processes lives.
func checkGone(t *testing.T, how string, server *Process, processes []int) {
	t.Helper()
	if pid := server.PID(); pid != 0 {
		t.Errorf("the %s server has process id %d", how, pid)
	}
	if err := refuses(t.Context(), server.Addr()); err != nil {
		t.Errorf("the %s server: %v", how, err)
	}
	// Processes that the parent did not wait for exit a moment later.
	await(t, "gone", func() bool { return len(runningPIDs(processes)) == 0 })
}

func needProc(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
}

// descendants returns a process with its descendants, as listed in /proc.
func descendants(t *testing.T, pid int) []int {
	t.Helper()
	if pid == 0 {
		t.Fatal("the server has no process")
	}
	parents := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if fields := status(child); len(fields) > 1 {
			parents[child], _ = strconv.Atoi(fields[1])
		}
	}
	processes := []int{pid}
	for i := 0; i < len(processes); i++ {
		for child, parent := range parents {
			if parent == processes[i] {
				processes = append(processes, child)
			}
		}
	}
	return processes
}

func runningPIDs(pids []int) []int {
	var living []int
	for _, pid := range pids {
		// A zombie waits for init, which may never collect it in a container.
		if s := state(pid); s != "" && s != "Z" {
			living = append(living, pid)
		}
	}
	return living
}

// state returns the state letter of a process in /proc; "" if there is none.
func state(pid int) string {
	if fields := status(pid); len(fields) > 0 {
		return fields[0]
	}
	return ""
}

// status returns the fields of /proc/PID/stat after the program's name: the state, the
// parent and so on.
func status(pid int) []string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
}

// await waits for an effect of another process.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	err := poll(t.Context(), nil, func(ctx context.Context) error {
		if !done() {
			return fmt.Errorf("not %s yet", what)
		}
		return nil
	})
	must.Succeed(t, err)
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"charm.land/lipgloss/v2"

	"stickwatch/internal/demo"
	"stickwatch/internal/must"
)

// TestTerminal: a terminal shows colour and progress, and limits the width.
func TestTerminal(t *testing.T) {
	cluster, err := demo.Start(demo.Config{})
	must.Succeed(t, err)
	t.Cleanup(cluster.Close)
	must.Succeed(t, cluster.Break("redis-down"))
	var (
		colour   = regexp.MustCompile(`\x1b\[[\d;]*m`)
		progress = regexp.MustCompile(`\r\x1b\[K127\.0\.0\.1:\d+: (nodes|clients|follow-ups) \d+/\d+`)
	)
	for _, tt := range []struct {
		name     string
		env      string
		colour   bool
		progress bool
	}{
		{"colour", "TERM=xterm-256color", true, true},
		{"no colour", "NO_COLOR=1", false, true},
		{"dumb", "TERM=dumb", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const columns = 72
			got := onTerminal(t, columns, tt.env, append([]string{"probe"}, strings.Fields(strings.Join(demoFlags(cluster), " "))...)...)
			if colour.MatchString(got) != tt.colour {
				t.Errorf("colour: got %t, want %t:\n%q", !tt.colour, tt.colour, got)
			}
			if progress.MatchString(got) != tt.progress {
				t.Errorf("progress: got %t, want %t:\n%q", !tt.progress, tt.progress, got)
			}
			if !tt.colour && !tt.progress && strings.Contains(got, "\x1b") {
				t.Errorf("escape sequences for a terminal that knows none:\n%q", got)
			}
			if !strings.Contains(got, "dependency_down") {
				t.Errorf("no report:\n%q", got)
			}
			for line := range strings.FieldsFuncSeq(got, func(r rune) bool { return r == '\r' || r == '\n' }) {
				if width := lipgloss.Width(line); width > columns {
					t.Errorf("a line takes %d columns of %d: %q", width, columns, line)
				}
			}
		})
	}
}

// onTerminal runs stickwatch on a terminal and returns the output.
func onTerminal(t *testing.T, columns uint16, env string, args ...string) string {
	t.Helper()
	terminal, program := openTerminal(t, columns)
	cmd := exec.CommandContext(t.Context(), "stickwatch", args...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", env)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	must.Succeed(t, cmd.Start())
	program.Close()
	var shown bytes.Buffer
	io.Copy(&shown, terminal) // ends with EIO at the exit of the program
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitFinding {
		t.Fatalf("got %v, want exit status %d; shown: %q", err, exitFinding, &shown)
	}
	return shown.String()
}

// openTerminal returns both ends of a terminal with a number of columns.
func openTerminal(t *testing.T, columns uint16) (terminal, program *os.File) {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	t.Cleanup(func() { terminal.Close() })
	var unlocked, number uint32
	size := [4]uint16{40, columns, 0, 0} // rows, columns, pixels
	control(t, terminal, syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked))
	control(t, terminal, syscall.TIOCGPTN, unsafe.Pointer(&number))
	control(t, terminal, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	return terminal, program
}

func control(t *testing.T, f *os.File, request uintptr, argument unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(argument)); errno != 0 {
		t.Fatalf("ioctl %#x of %s: %v", request, f.Name(), errno)
	}
}

package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stickwatch/internal/must"
)

// TestInitAsks: on a terminal init offers the candidates of guesses and writes the answers;
// with another standard input it asks nothing.
func TestInitAsks(t *testing.T) {
	dir := t.TempDir()
	const balancer = "defaults\n mode http\nfrontend f\n bind *:80\n default_backend shop\nfrontend inside\n bind 10.0.0.9:8081\n default_backend shop\n" +
		"backend shop\n cookie SRV insert\n server a 10.0.0.1:80\n server b 10.0.0.2:80\n"
	must.Succeed(t, os.WriteFile(filepath.Join(dir, "haproxy.cfg"), []byte(balancer), 0o600))
	for _, test := range []struct {
		name    string
		typed   string
		written []string
		guesses string
	}{
		{"answers", "nonsense\nhttps://shop.example.org\n", []string{"url: https://shop.example.org\n"}, "2 guesses to review"},
		{"a number", "2\n", []string{"url: http://10.0.0.9:8081\n"}, "2 guesses to review"},
		{"Enter keeps guesses", "\n", []string{"GUESS", "url: http://127.0.0.1\n"}, "3 guesses to review"},
	} {
		t.Run(test.name, func(t *testing.T) {
			terminal, program := openTerminal(t, 100)
			file := filepath.Join(t.TempDir(), "stickwatch.yml")
			cmd := exec.CommandContext(t.Context(), "stickwatch", "init", "--haproxy", filepath.Join(dir, "haproxy.cfg"), "--offline", "-o", file)
			cmd.Env = append(os.Environ(), "TERM=xterm-256color")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
			must.Succeed(t, cmd.Start())
			program.Close()
			if _, err := io.WriteString(terminal, test.typed); err != nil {
				t.Fatal(err)
			}
			var shown bytes.Buffer
			io.Copy(&shown, terminal) // ends with EIO at the exit of the program
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, shown.String())
			}
			if !strings.Contains(shown.String(), test.guesses) {
				t.Errorf("got\n%s\nwant %q", shown.String(), test.guesses)
			}
			text, err := os.ReadFile(file)
			must.Succeed(t, err)
			for _, want := range test.written {
				if !strings.Contains(string(text), want) {
					t.Errorf("got\n%s\nwant it to have %q", text, want)
				}
			}
		})
	}
}

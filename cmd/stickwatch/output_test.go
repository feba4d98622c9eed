package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/internal/must"
	"stickwatch/internal/render"
)

func TestTerminalOptionsOfAFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	must.Succeed(t, err)
	defer f.Close()
	got := terminalOptions(f, []string{"TERM=xterm-256color", "COLORTERM=truecolor"})
	if diff := cmp.Diff(render.Options{}, got); diff != "" {
		t.Errorf("options of a file (-want +got):\n%s", diff)
	}
}

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tailBytes of each log are included in an error: enough for a server's last message.
const tailBytes = 2 << 10

// directory creates a server's own directory, with "log" in it.
//
// When the tests run as root, some servers run as another user (PostgreSQL refuses
// root, httpd's workers change the user). These users need access to the two parent
// directories that package testing creates for root only.
func directory(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for _, path := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(path, 0o711); err != nil {
			tb.Fatalf("opening %q to the server's user: %v", path, err)
		}
	}
	if err := os.MkdirAll(logDir(dir), 0o755); err != nil {
		tb.Fatalf("making the log directory: %v", err)
	}
	return dir
}

// logDir is also the directory of a server's configuration: both are kept on failure.
func logDir(dir string) string { return filepath.Join(dir, "log") }

// tail returns the end of every file in a log directory.
func tail(dir string) string {
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	var text strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, ".conf") {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil || len(content) == 0 {
			continue
		}
		content = content[max(0, len(content)-tailBytes):]
		fmt.Fprintf(&text, "--- %s\n%s\n", filepath.Base(file), strings.TrimSpace(string(content)))
	}
	return text.String()
}

var unsafeInName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// keepLogs copies a server's logs and configuration out of the directory that package
// testing removes.
func keepLogs(tb testing.TB, name, logs string) {
	tb.Helper()
	base := os.Getenv("STICKWATCH_LAB_LOGS")
	if base == "" {
		base = filepath.Join(os.TempDir(), "stickwatch-lab")
	}
	kept, err := copyLogs(filepath.Join(base, unsafeInName.ReplaceAllString(tb.Name(), "_")), name, logs)
	if err != nil {
		tb.Logf("keeping the logs of %q: %v", name, err)
		return
	}
	tb.Logf("the logs of %q are kept in %s", name, kept)
}

func copyLogs(base, name, logs string) (string, error) {
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	// One test may run two servers of the same kind.
	kept, err := os.MkdirTemp(base, name+"-*")
	if err != nil {
		return "", err
	}
	return kept, os.CopyFS(kept, os.DirFS(logs))
}

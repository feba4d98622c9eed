package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"stickwatch/internal/must"
)

// A result is the result of one run of an operation.
type result struct {
	Operation     string        `json:"operation"`
	Balancer      string        `json:"balancer"`
	At            time.Time     `json:"at"`
	OK            bool          `json:"ok"`
	FalseCritical int           `json:"false_critical"` // unexpected critical incidents
	Missed        []string      `json:"missed,omitempty"`
	False         []string      `json:"false,omitempty"`
	Broken        []string      `json:"broken,omitempty"` // why the operation did not have its intended effect
	Notified      []string      `json:"notified,omitempty"`
	Requests      int           `json:"requests"` // of users
	Harmed        int           `json:"harmful"`  // harmful ones among them
	Delay         time.Duration `json:"delay"`    // from harm to notification; 0: none
}

func (r result) String() string {
	return fmt.Sprintf("missed %q\nfalse %q\nbroken %q\nnotified %q\nusers: %d of %d requests harmed them", r.Missed, r.False, r.Broken, r.Notified, r.Harmed, r.Requests)
}

// results are the results of a campaign. Each is written to a file at once, so that an
// interrupted campaign can be continued.
type results struct {
	mu   sync.Mutex
	list []result
	file *os.File // nil: results are not kept
	new  map[string]int
}

// openResults continues the file that STICKWATCH_OPERATIONS_LOG names.
func openResults(t *testing.T) *results {
	t.Helper()
	results := &results{new: make(map[string]int)}
	path := os.Getenv("STICKWATCH_OPERATIONS_LOG")
	if path == "" {
		return results
	}
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatalf("reading earlier results: %v", err)
	}
	for line := range bytes.Lines(text) {
		var r result
		if json.Unmarshal(line, &r) == nil { // the last line may be incomplete
			results.list = append(results.list, r)
		}
	}
	if results.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		t.Fatalf("keeping results: %v", err)
	}
	if n := len(text); n > 0 && text[n-1] != '\n' {
		fmt.Fprintln(results.file)
	}
	t.Cleanup(func() { results.file.Close() })
	return results
}

// earlierRuns returns the number of results of p from before this run.
func (r *results) earlierRuns(p pairing) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, run := range r.list {
		if run.Operation == p.operation.name && run.Balancer == p.front.name {
			n++
		}
	}
	return n - r.new[p.name()]
}

func (r *results) add(t *testing.T, run result) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, run)
	r.new[run.Operation+"/"+run.Balancer]++
	if r.file == nil {
		return
	}
	line, err := json.Marshal(run)
	if err == nil {
		_, err = r.file.Write(append(line, '\n'))
	}
	if err != nil {
		t.Errorf("keeping a result: %v", err)
	}
}

// TestResultsContinue checks that a continued campaign does not repeat finished runs.
func TestResultsContinue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	t.Setenv("STICKWATCH_OPERATIONS_LOG", path)
	p := pairings()[0]
	run := result{Operation: p.operation.name, Balancer: p.front.name, OK: true}
	results := openResults(t)
	results.add(t, run)
	if got := results.earlierRuns(p); got != 0 {
		t.Errorf("earlier runs at first: got %d, want 0", got)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must.Succeed(t, err)
	file.WriteString(`{"operation": "cut o`)
	file.Close()

	again := openResults(t)
	if got := again.earlierRuns(p); got != 1 {
		t.Errorf("earlier runs when continued: got %d, want 1", got)
	}
	again.add(t, run)
	if got := openResults(t).earlierRuns(p); got != 2 {
		t.Errorf("earlier runs at last: got %d, want 2", got)
	}
}

package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"stickwatch/internal/expect"
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
	Users         int           `json:"requests"` // requests of users
	Harmed        int           `json:"harmful"`  // harmful ones among them
	Delay         time.Duration `json:"delay"`    // from harm to notification; 0: none
}

func (r result) String() string {
	return fmt.Sprintf("missed %q\nfalse %q\nbroken %q\nnotified %q\nusers: %d of %d requests harmed them", r.Missed, r.False, r.Broken, r.Notified, r.Harmed, r.Users)
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

// played returns the number of results of p from before this run.
func (results *results) played(p pairing) (n int) {
	results.mu.Lock()
	defer results.mu.Unlock()
	for _, r := range results.list {
		if r.Operation == p.operation.name && r.Balancer == p.front.name {
			n++
		}
	}
	return n - results.new[p.name()]
}

func (results *results) add(t *testing.T, r result) {
	t.Helper()
	results.mu.Lock()
	defer results.mu.Unlock()
	results.list = append(results.list, r)
	results.new[r.Operation+"/"+r.Balancer]++
	if results.file == nil {
		return
	}
	line, err := json.Marshal(r)
	if err == nil {
		_, err = results.file.Write(append(line, '\n'))
	}
	if err != nil {
		t.Errorf("keeping a result: %v", err)
	}
}

// A row summarises the runs of an operation behind a balancer.
type row struct {
	Operation, Balancer              string
	Runs, Right, False, Missed, Told int
	Median, Slowest                  time.Duration // of the delays
	delays                           []time.Duration
}

// rows returns the rows in the order of the table.
func (results *results) rows() (rows []*row) {
	for _, p := range pairings() {
		w := &row{Operation: p.operation.name, Balancer: p.front.name}
		for _, r := range results.list {
			if r.Operation == w.Operation && r.Balancer == w.Balancer {
				w.add(r)
			}
		}
		if w.Runs > 0 {
			rows = append(rows, w)
		}
	}
	return rows
}

func (row *row) add(r result) {
	row.Runs++
	row.False += r.FalseCritical
	if r.OK {
		row.Right++
	}
	if len(r.Missed) > 0 {
		row.Missed++
	}
	if r.Delay > 0 {
		row.delays = append(row.delays, r.Delay)
		slices.Sort(row.delays)
		row.Median, row.Slowest = row.delays[len(row.delays)/2], row.delays[len(row.delays)-1]
	}
}

// Delimiters of the section of operations in SCENARIOS.md.
const (
	operationsBegin = "<!-- operations: written by make operations -->"
	operationsEnd   = "<!-- end of operations -->"
)

var operationsSection = template.Must(template.New("operations").Funcs(template.FuncMap{
	"seconds": func(d time.Duration) string {
		if d == 0 {
			return "-"
		}
		return fmt.Sprintf("%.1f s", d.Seconds())
	},
}).Parse(operationsBegin + `
## Operations

Three nodes behind a real balancer are operated while 200 users send about ten requests a second, and a daemon with its
default intervals watches. ` + "`make operations`" + ` writes this section: {{.Runs}} runs, {{.False}} false
criticals. *right*: runs whose notifications agree with what users met, in cause, node and number of incidents. *missed*:
runs without a notification that was due. *false criticals*: unjustified critical incidents in all runs.
*notified after*: from the first harm to the first notification of the right cause, median and slowest; warnings wait 30 s.

| operation | balancer | runs | right | missed | false criticals | notified after | slowest |
|---|---|---:|---:|---:|---:|---:|---:|
{{- range .Rows}}
| {{.Operation}} | {{.Balancer}} | {{.Runs}} | {{.Right}} | {{.Missed}} | {{.False}} | {{seconds .Median}} | {{seconds .Slowest}} |
{{- end}}

### Not met by operations
{{range .NotMet}}
- {{.}}
{{- else}}
No operation is known whose notifications are wrong.
{{- end}}
{{- with .Others}}

Not met by other tests of the lab:
{{range .}}
- {{.}}
{{- end}}
{{- end}}

` + operationsEnd + "\n"))

// section formats the table as Markdown.
func (r *results) section() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data := struct {
		Rows        []*row
		Runs, False int
		NotMet      []string
		Others      []string // gaps of tests without their own table
	}{Rows: r.rows(), Others: otherGaps()}
	for _, w := range data.Rows {
		data.Runs += w.Runs
		data.False += w.False
		known := gapOf(testName("TestOperations", w.Operation, w.Balancer)).why
		if w.Right < w.Runs || known != "" {
			data.NotMet = append(data.NotMet, strings.TrimSuffix(fmt.Sprintf("%s, %s: %d of %d right. %s", w.Operation, w.Balancer, w.Right, w.Runs, known), " "))
		}
	}
	var out bytes.Buffer
	err := operationsSection.Execute(&out, data)
	return out.String(), err
}

// write writes the section into the file that STICKWATCH_OPERATIONS_TABLE names.
func (r *results) write(t *testing.T) {
	t.Helper()
	path := os.Getenv("STICKWATCH_OPERATIONS_TABLE")
	if path == "" {
		return
	}
	section, err := r.section()
	if err == nil {
		err = replaceSection(path, section)
	}
	if err != nil {
		t.Errorf("writing the table of operations: %v", err)
	}
}

// replaceSection replaces the section, or inserts it before that of the simulation,
// which is the last.
func replaceSection(path, section string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	last := simulation(page)
	first := bytes.TrimSuffix(page, last)
	first = bytes.TrimSuffix(first, operationsOf(page))
	return os.WriteFile(path, slices.Concat(first, []byte("\n"+section), last), 0o644)
}

// operationsOf returns the section of operations in a page, with the empty line before
// it.
func operationsOf(page []byte) []byte {
	begin, end := bytes.Index(page, []byte("\n"+operationsBegin)), bytes.Index(page, []byte(operationsEnd+"\n"))
	if begin < 0 || end < begin {
		return nil
	}
	return page[begin : end+len(operationsEnd)+1]
}

// TestReplaceSection checks that only the section of operations is replaced.
func TestReplaceSection(t *testing.T) {
	const old, now = operationsBegin + "\nold\n" + operationsEnd + "\n", operationsBegin + "\nnow\n" + operationsEnd + "\n"
	for name, page := range map[string]struct{ before, after string }{
		"none":               {"# Scenarios\n", "# Scenarios\n\n" + now},
		"one":                {"# Scenarios\n\n" + old, "# Scenarios\n\n" + now},
		"none, a simulation": {"# Scenarios\n\n## Simulation\nit\n", "# Scenarios\n\n" + now + "\n## Simulation\nit\n"},
		"both":               {"# Scenarios\n\n" + old + "\n## Simulation\nit\n", "# Scenarios\n\n" + now + "\n## Simulation\nit\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "page.md")
			must.Succeed(t, os.WriteFile(path, []byte(page.before), 0o644))
			must.Succeed(t, replaceSection(path, now))
			got, err := os.ReadFile(path)
			must.Succeed(t, err)
			expect.Equal(t, "page", page.after, string(got))
		})
	}
}

// TestResultsContinue checks that a continued campaign does not repeat finished runs.
func TestResultsContinue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	t.Setenv("STICKWATCH_OPERATIONS_LOG", path)
	p := pairings()[0]
	played := result{Operation: p.operation.name, Balancer: p.front.name, OK: true}
	results := openResults(t)
	results.add(t, played)
	if got := results.played(p); got != 0 {
		t.Errorf("played before this campaign: got %d, want 0", got)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must.Succeed(t, err)
	file.WriteString(`{"operation": "cut o`)
	file.Close()

	again := openResults(t)
	if got := again.played(p); got != 1 {
		t.Errorf("played before: got %d, want 1", got)
	}
	again.add(t, played)
	if got := openResults(t).played(p); got != 2 {
		t.Errorf("played in all: got %d, want 2", got)
	}
}

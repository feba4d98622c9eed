package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// A row summarises the runs of an operation behind a balancer.
type row struct {
	Operation, Balancer string
	Runs, Right, Missed int
	FalseCriticals      int
	Median, Slowest     time.Duration // of the delays
	delays              []time.Duration
}

// rows returns the rows in the order of the table.
func (r *results) rows() (rows []*row) {
	for _, p := range pairings() {
		w := &row{Operation: p.operation.name, Balancer: p.front.name}
		for _, run := range r.list {
			if run.Operation == w.Operation && run.Balancer == w.Balancer {
				w.add(run)
			}
		}
		if w.Runs > 0 {
			rows = append(rows, w)
		}
	}
	return rows
}

func (r *row) add(run result) {
	r.Runs++
	r.FalseCriticals += run.FalseCritical
	if run.OK {
		r.Right++
	}
	if len(run.Missed) > 0 {
		r.Missed++
	}
	if run.Delay > 0 {
		r.delays = append(r.delays, run.Delay)
		slices.Sort(r.delays)
		r.Median, r.Slowest = r.delays[len(r.delays)/2], r.delays[len(r.delays)-1]
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
default intervals watches. ` + "`make operations`" + ` writes this section: {{.Runs}} runs, {{.FalseCriticals}} false
criticals. *right*: runs whose notifications agree with what users met, in cause, node and number of incidents. *missed*:
runs without a notification that was due. *false criticals*: unjustified critical incidents in all runs.
*notified after*: from the first harm to the first notification of the right cause, median and slowest; warnings wait 30 s.

| operation | balancer | runs | right | missed | false criticals | notified after | slowest |
|---|---|---:|---:|---:|---:|---:|---:|
{{- range .Rows}}
| {{.Operation}} | {{.Balancer}} | {{.Runs}} | {{.Right}} | {{.Missed}} | {{.FalseCriticals}} | {{seconds .Median}} | {{seconds .Slowest}} |
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
		Rows                 []*row
		Runs, FalseCriticals int
		NotMet               []string
		Others               []string // gaps of tests without their own table
	}{Rows: r.rows(), Others: otherGaps()}
	for _, w := range data.Rows {
		data.Runs += w.Runs
		data.FalseCriticals += w.FalseCriticals
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

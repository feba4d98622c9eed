package lab

import (
	"context"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/must"
)

const disabled = "upstream server temporarily disabled"

// TestHuozigeBudget: according to the guide, a failing node stays in rotation for at
// least ten minutes. The time until ejection that is derived from nginx's error log
// must be correct: the counted and the missing failures are the thirty of max_fails,
// and in the predicted time as many users fail as are needed.
func TestHuozigeBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("lets users come for six seconds")
	}
	t.Parallel()
	h := newHuozige(t)
	h.readsLog()
	h.a[1].Stop()
	const perSecond = 10 // every other request is tried on the node
	began := time.Now()
	users := h.send(perSecond)
	await(t, "failing twelve times", func() bool { return h.failures() >= 12 })

	before, perSecondSent := h.failures(), float64(users.Load())/time.Since(began).Seconds()
	report := h.probe("app_a")
	after, came := h.failures(), users.Load()
	judgeScenario(t, scenario{want: []string{"node_failing_in_rotation/server2"}, also: []checks.Code{checks.NodeDown}}, report)
	reported := readBudget(t, report)
	if reported.counted < before || reported.counted > after {
		t.Errorf("report: nginx has counted %d, want between %d and %d", reported.counted, before, after)
	}
	if want := perSecondSent / 2; reported.rate < 0.6*want || reported.rate > 1.4*want {
		t.Errorf("report: %.1f requests fail a second, want %.1f", reported.rate, want)
	}

	await(t, "ejected", func() bool { return strings.Contains(h.log(), disabled) })
	if all := h.failures(); all != 30 {
		t.Fatalf("nginx ejected the node after %d failures, want 30", all)
	}
	want := reported.left.Seconds() * perSecond
	if got := float64(users.Load() - came); math.Abs(got-want) > perSecond+0.4*want {
		t.Errorf("report: %s, in which %.0f users come; %.0f came until it was ejected", reported.left, want, got)
	}
	h.recovers()
}

// recovers heals the node: only its error log shows that it gets no requests for now.
func (h *huozige) recovers() {
	h.tb.Helper()
	must.Succeed(h.tb, h.a[1].Start())
	if report := h.probe("app_a"); !found(report, checks.NodeEjected) {
		h.tb.Errorf("back, and not yet taken back: %s", formatReport(report))
	}
}

// TestHuozigeNeverEjects: nginx counts no HTTP errors, so no time until ejection is
// reported.
func TestHuozigeNeverEjects(t *testing.T) {
	t.Parallel()
	h := newHuozige(t)
	h.readsLog()
	h.a[1].Change(func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/app_a/", 500 })
	h.visit("/app_a/", 80)
	report := h.probe("app_a")
	if !found(report, checks.NodeFailingInRotation) {
		t.Fatalf("got %s", formatReport(report))
	}
	if got := budgetOf(report); !strings.HasPrefix(got, "nothing shows that nginx will eject it") {
		t.Errorf("got %q, want that nothing shows it", got)
	}
	if strings.Contains(h.log(), disabled) {
		t.Error("nginx has ejected a node for HTTP errors")
	}
}

// readsLog adds nginx's error log to the configuration.
func (h *huozige) readsLog() {
	for _, c := range h.config.Clusters {
		c.Balancer.Evidence.NginxErrorLog = h.nginx.ErrorLog()
	}
}

func (h *huozige) log() string { return read(h.tb, h.nginx.ErrorLog()) }

// failures counts the failed attempts at the second server until it was ejected.
func (h *huozige) failures() int {
	count := 0
	for line := range strings.Lines(h.log()) {
		switch {
		case strings.Contains(line, disabled):
			return count
		case strings.Contains(line, "connect() failed") && strings.Contains(line, h.a[1].Addr()):
			count++
		}
	}
	return count
}

// send sends requests of users at a rate until the test ends. It returns the number
// sent.
func (h *huozige) send(perSecond int) *atomic.Int64 {
	var sent atomic.Int64
	ctx, cancel := context.WithCancel(h.tb.Context())
	user := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	over := make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if resp, err := user.Get(h.url + "/app_a/"); err == nil {
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				sent.Add(1)
			}
		}
	}()
	h.tb.Cleanup(func() { cancel(); <-over })
	return &sent
}

// A budget is the time left until ejection as reported by node_failing_in_rotation.
type budget struct {
	left    time.Duration
	rate    float64 // failures per second
	counted int
}

var budgetWords = regexp.MustCompile(`^about (\S+) left: .* failed (\S+) times a second .* counted about (\d+)$`)

func readBudget(tb testing.TB, report checks.Report) (b budget) {
	tb.Helper()
	m := budgetWords.FindStringSubmatch(budgetOf(report))
	if m == nil {
		tb.Fatalf("got %q, want it to match %q", budgetOf(report), budgetWords)
	}
	tb.Logf("reported %q", m[0])
	var errs [3]error
	b.left, errs[0] = time.ParseDuration(m[1])
	b.rate, errs[1] = strconv.ParseFloat(m[2], 64)
	b.counted, errs[2] = strconv.Atoi(m[3])
	for _, err := range errs {
		must.Succeed(tb, err)
	}
	return b
}

// budgetOf returns the last line of the finding's evidence.
func budgetOf(report checks.Report) string {
	for _, f := range report.Findings {
		if f.Code == checks.NodeFailingInRotation {
			return f.Evidence[len(f.Evidence)-1].String()
		}
	}
	return ""
}

func found(report checks.Report, code checks.Code) bool {
	for _, f := range report.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

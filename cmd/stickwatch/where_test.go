package main

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/internal/phrase"
	"stickwatch/internal/render"
	"stickwatch/probes"
)

func threeNodes(t testing.TB, method probes.Method) oracles {
	t.Helper()
	c := &probes.Cluster{Name: "shop", Balancer: probes.Balancer{Method: method, HashKey: "$remote_addr"}}
	for _, id := range []string{"a", "b", "c"} {
		c.Nodes = append(c.Nodes, probes.Node{ID: id, URL: &url.URL{Scheme: "http", Host: id}, Weight: 1})
	}
	o, err := newOracles([]*probes.Cluster{c}, nil, false)
	must.Succeed(t, err)
	return o
}

// TestStreamAnswersBeforeItWaits: each answer is written before the next line is read.
func TestStreamAnswersBeforeItWaits(t *testing.T) {
	in, typed := io.Pipe()
	shown, out := io.Pipe()
	go threeNodes(t, probes.MethodIPHash).stream(in, out, io.Discard, phrase.Reader{})
	defer typed.Close()
	answer := make([]byte, 100)
	for _, want := range []string{"10.0.0.1 a\n", "10.0.1.1 b\n"} {
		client, _, _ := strings.Cut(want, " ")
		io.WriteString(typed, client+"\n")
		n, err := shown.Read(answer)
		if got := string(answer[:n]); err != nil || got != want {
			t.Errorf("got %q and error %v, want %q", got, err, want)
		}
	}
}

func TestStreamOfSomethingElse(t *testing.T) {
	err := threeNodes(t, probes.MethodIPHash).stream(strings.NewReader("10.0.0.1\n"+strings.Repeat("x", 2<<20)), io.Discard, io.Discard, phrase.Reader{})
	want := "line 2 is longer than 1024 KiB: the input is not a list of clients"
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// TestStreamWithByteOrderMark: some Windows tools begin a file with a byte order mark.
func TestStreamWithByteOrderMark(t *testing.T) {
	var out bytes.Buffer
	err := threeNodes(t, probes.MethodIPHash).stream(strings.NewReader("\ufeff10.0.0.1\r\n"), &out, io.Discard, phrase.Reader{})
	if err != nil || out.String() != "10.0.0.1 a\n" {
		t.Errorf("got %q and error %v", out.String(), err)
	}
}

// fullDisk is a writer that always fails.
type fullDisk struct{}

var errFull = errors.New("no space left")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// TestStreamToFullDisk: reading stops if the answers cannot be written.
func TestStreamToFullDisk(t *testing.T) {
	var clients bytes.Buffer
	writeClients(&clients, 1<<17)
	err := threeNodes(t, probes.MethodIPHash).stream(&clients, fullDisk{}, io.Discard, phrase.Reader{})
	if !errors.Is(err, errFull) {
		t.Errorf("got error %v, want %v", err, errFull)
	}
	if clients.Len() == 0 {
		t.Error("all clients were read")
	}
}

func BenchmarkWhere(b *testing.B) {
	const lines = 1_000_000
	var clients bytes.Buffer
	writeClients(&clients, lines)
	for _, method := range []probes.Method{probes.MethodIPHash, probes.MethodHash} {
		b.Run(string(method), func(b *testing.B) {
			o := threeNodes(b, method)
			b.SetBytes(int64(clients.Len()))
			for b.Loop() {
				must.Succeed(b, o.stream(bytes.NewReader(clients.Bytes()), io.Discard, io.Discard, phrase.Reader{}))
			}
			b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

func TestExitStatus(t *testing.T) {
	report := func(v checks.Verdict, found ...checks.Severity) checks.Report {
		r := checks.Report{Verdict: v}
		for _, s := range found {
			r.Findings = append(r.Findings, checks.Finding{Severity: s})
		}
		return r
	}
	healthy, degraded := report(checks.Healthy, checks.Info), report(checks.Degraded, checks.Warning)
	failing, unsure := report(checks.Failing, checks.Critical), report(checks.Inconclusive)
	for _, tt := range []struct {
		name    string
		reports []checks.Report
		failOn  checks.Severity
		status  int
		worst   checks.Verdict
	}{
		{"nothing", nil, checks.Critical, 0, checks.Inconclusive},
		{"healthy", []checks.Report{healthy}, checks.Critical, 0, checks.Healthy},
		{"healthy, any finding counts", []checks.Report{healthy}, checks.Info, 1, checks.Healthy},
		{"degraded", []checks.Report{healthy, degraded}, checks.Critical, 0, checks.Degraded},
		{"degraded, warnings count", []checks.Report{healthy, degraded}, checks.Warning, 1, checks.Degraded},
		{"failing", []checks.Report{failing, healthy}, checks.Critical, 1, checks.Failing},
		{"inconclusive", []checks.Report{healthy, unsure, degraded}, checks.Critical, 3, checks.Inconclusive},
		{"a finding outweighs a doubt", []checks.Report{unsure, failing}, checks.Critical, 1, checks.Failing},
		{"a doubtful cluster's own finding", []checks.Report{report(checks.Inconclusive, checks.Critical)}, checks.Critical, 1, checks.Inconclusive},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expect.Equal(t, "exit status", tt.status, exitStatus(tt.reports, tt.failOn))
			expect.Equal(t, "worst verdict", tt.worst, (render.Results{Clusters: tt.reports}).Verdict())
		})
	}
}

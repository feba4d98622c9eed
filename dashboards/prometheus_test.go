package dashboards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v4"

	"stickwatch/internal/lab"
	"stickwatch/internal/must"
)

// These tests query a real Prometheus that scrapes stickwatch, because a valid query may
// still match no series.

// startPrometheus runs a Prometheus that scrapes targets each second and evaluates our
// rules. It returns its address.
func startPrometheus(t *testing.T, targets ...string) string {
	t.Helper()
	path := program(t, "prometheus")
	rules, err := filepath.Abs(rulesFile)
	must.Succeed(t, err)
	config, err := yaml.Marshal(map[string]any{
		"global":     map[string]string{"scrape_interval": "1s", "evaluation_interval": "1s"},
		"rule_files": []string{rules},
		"scrape_configs": []any{map[string]any{
			"job_name":       "stickwatch",
			"static_configs": []any{map[string][]string{"targets": targets}},
		}},
	})
	must.Succeed(t, err)
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	must.Succeed(t, os.WriteFile(file, config, 0o644))
	addr := lab.FreeAddr(t)
	lab.Run(t, lab.Command{Name: "prometheus", Path: path, Addr: addr, Args: []string{
		"--config.file=" + file, "--web.listen-address=" + addr, "--storage.tsdb.path=" + t.TempDir(),
	}})
	return addr
}

// ask queries Prometheus's API and decodes the data of the answer.
func ask[T any](ctx context.Context, addr, endpoint string, values url.Values) (T, error) {
	var answer struct {
		Data  T
		Error string
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/api/v1/"+endpoint, strings.NewReader(values.Encode()))
	if err != nil {
		return answer.Data, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(values) == 0 {
		request.Method = http.MethodGet
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer.Data, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return answer.Data, err
	}
	if answer.Error != "" {
		return answer.Data, fmt.Errorf("prometheus answers %s: %s", response.Status, answer.Error)
	}
	return answer.Data, nil
}

// A vector is the result of an instant query.
type vector struct {
	Result []struct{ Metric map[string]string }
}

// answered returns an error if the result of a query is empty or lacks a label.
func (a asked) answered(ctx context.Context, addr string, expr parser.Expr) error {
	got, err := ask[vector](ctx, addr, "query", url.Values{"query": {expr.String()}})
	if err != nil {
		return err
	}
	if len(got.Result) == 0 {
		return fmt.Errorf("no data for %s", expr)
	}
	for _, series := range got.Result {
		for _, label := range a.named {
			if _, ok := series.Metric[label]; !ok {
				return fmt.Errorf("the panel shows the label %q, and %v has none", label, series.Metric)
			}
		}
	}
	return nil
}

// hastened returns an expression with windows of seconds instead of minutes and without
// its default for an empty result.
func hastened(expr parser.Expr) parser.Expr {
	if either, ok := expr.(*parser.BinaryExpr); ok && either.Op == parser.LOR {
		if call, ok := either.RHS.(*parser.Call); ok && call.Func.Name == "vector" {
			return hastened(either.LHS)
		}
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if selector, ok := n.(*parser.VectorSelector); ok && selector.OriginalOffset != 0 {
			selector.OriginalOffset = 2 * time.Second
		}
		return nil
	})
	return expr
}

// eventually repeats ask until it returns nil or ctx ends, and returns the last error.
func eventually(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("never asked")
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-tick.C:
		}
	}
}

func TestPrometheus(t *testing.T) {
	m := newMonitor(t)
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	addr := startPrometheus(t, strings.TrimPrefix(server.URL, "http://"))

	all := queries(t, "shop")
	for _, r := range rules(t) {
		if r.Record != "" {
			all = append(all, asked{where: r.Record, expr: r.Record})
		}
	}
	for _, q := range all {
		t.Run(q.where, func(t *testing.T) { q.test(t, addr) })
	}
	t.Run("rules", func(t *testing.T) {
		if err := eventually(t.Context(), func(ctx context.Context) error { return rulesWork(ctx, addr) }); err != nil {
			t.Error(err)
		}
	})
}

// test waits for the result of a query.
func (a asked) test(t *testing.T, addr string) {
	t.Parallel()
	expr := hastened(parse(t, a.where, a.expr))
	if err := eventually(t.Context(), func(ctx context.Context) error { return a.answered(ctx, addr, expr) }); err != nil {
		t.Error(err)
	}
}

// rulesWork returns an error for rules that Prometheus cannot evaluate or has not yet.
func rulesWork(ctx context.Context, addr string) error {
	type groups struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	got, err := ask[groups](ctx, addr, "rules", nil)
	if err != nil {
		return err
	}
	if len(got.Groups) == 0 {
		return fmt.Errorf("prometheus has no rules")
	}
	for _, g := range got.Groups {
		for _, r := range g.Rules {
			if r.Health != "ok" {
				return fmt.Errorf("rule %s is %s: %s", r.Name, r.Health, r.LastError)
			}
		}
	}
	return nil
}

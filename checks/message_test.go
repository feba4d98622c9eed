package checks

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/internal/must"
	"stickwatch/probes"
)

// TestTranslations tests that every sentence exists in both languages, uses the same
// arguments in both, can be rendered with any arguments, and is used.
func TestTranslations(t *testing.T) {
	declared, used := messageIDs(t)
	for language, c := range map[Language]translation{English: english, Chinese: chinese} {
		if diff := cmp.Diff(slices.Sorted(maps.Values(declared)), slices.Sorted(maps.Keys(c.sentences))); diff != "" {
			t.Errorf("sentences in %q (-declared +there):\n%s", language, diff)
		}
	}
	for name, id := range declared {
		if !used[name] {
			t.Errorf("nothing says %s", name)
		}
		if en, zh := argumentsOf(inEnglish().Lookup(string(id)).Root), argumentsOf(inChinese().Lookup(string(id)).Root); !slices.Equal(en, zh) {
			t.Errorf("%s speaks of %q in English and of %q in Chinese", name, en, zh)
		}
		for _, m := range []Message{msg(id, Args{Addresses: []string{"", ""}}), msg(id, everything())} {
			for _, l := range []Language{English, Chinese} {
				if got := m.In(l); got == "" || strings.Contains(got, "<") && !strings.Contains(got, "<Engine") {
					t.Errorf("%s in %q: got %q", name, l, got)
				}
			}
		}
	}
}

// messageIDs returns the ids by their names in the code, and the names that are used
// outside the catalogue.
func messageIDs(t *testing.T) (ids map[string]MessageID, used map[string]bool) {
	t.Helper()
	ids, used = make(map[string]MessageID), make(map[string]bool)
	files, err := filepath.Glob("*.go")
	must.Succeed(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "messages_") {
			continue
		}
		source, err := os.ReadFile(name)
		must.Succeed(t, err)
		file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
		must.Succeed(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if kind, ok := n.Type.(*ast.Ident); ok && kind.Name == "MessageID" {
					value, err := strconv.Unquote(n.Values[0].(*ast.BasicLit).Value)
					must.Succeed(t, err)
					ids[n.Names[0].Name] = MessageID(value)
					return false
				}
			case *ast.Ident:
				used[n.Name] = true
			}
			return true
		})
	}
	return ids, used
}

// argumentsOf returns the arguments and sentence parts that a template names.
func argumentsOf(n parse.Node) []string {
	found := make(map[string]bool)
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if v.IsNil() {
				return
			}
			switch n := v.Interface().(type) {
			case *parse.FieldNode:
				found[strings.Join(n.Ident, ".")] = true
			case *parse.VariableNode:
				found[strings.Join(n.Ident[1:], ".")] = true
			case *parse.TemplateNode:
				found[n.Name] = true
			}
			visit(v.Elem())
		case reflect.Slice:
			for i := range v.Len() {
				visit(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					visit(v.Field(i))
				}
			}
		}
	}
	visit(reflect.ValueOf(n))
	delete(found, "Since.IsZero")
	delete(found, "")
	return slices.Sorted(maps.Keys(found))
}

// everything returns all arguments, set.
func everything() Args {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	return Args{
		Node: "node1", Other: "node2", Nodes: []string{"node1", "node2"}, Name: "redis", Server: "10.0.0.1:80",
		Address: "http://shop", Addresses: []string{"http://a", "http://b"}, Client: "10.9.9.9", Session: "a1", NewSession: "b2",
		Path: "/", Status: 502, Method: probes.MethodIPHash, Setting: "port", State: "down", Value: "1", Was: "0", Values: []string{"1", "2"},
		Reason: "refused", Count: 2, Of: 3, Lost: 1, Rate: 0.5, Duration: time.Minute, Limit: time.Second, Longest: time.Hour,
		Timing: probes.Timing{DNS: 1}, Since: at, At: at,
		Why: new(msg(MsgTimeLeft, Args{Duration: time.Second})), But: new(msg(MsgBudgetEndless, Args{})),
	}
}

// TestMessageIsKept tests that a stored message is restored unchanged. The text
// remains of a message from before the catalogue, of an unknown sentence, and of
// changed arguments.
func TestMessageIsKept(t *testing.T) {
	for name, m := range map[string]Message{
		"nothing": {}, "words": Quote("connection refused"), "everything": msg(MsgRemapped, everything()),
	} {
		data, err := json.Marshal(m)
		must.Succeed(t, err)
		var got Message
		must.Succeed(t, json.Unmarshal(data, &got))
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("%s (-kept +read):\n%s", name, diff)
		}
	}
	for _, old := range []string{
		`"node1 is down"`,
		`{"ID": "of_a_later_version", "Args": {"Node": "node1"}, "Text": "node1 is down"}`,
		`{"ID": "node_silent", "Args": {"Node": 1}, "Text": "node1 is down"}`,
	} {
		var got Message
		if err := json.Unmarshal([]byte(old), &got); err != nil || got.In(Chinese) != "node1 is down" {
			t.Errorf("%s: got %q, %v", old, got, err)
		}
	}
}

// TestMessageInZone tests that all times of a message are in one zone, UTC by
// default, and that a time reported by a node stays unchanged.
func TestMessageInZone(t *testing.T) {
	shanghai := time.FixedZone("CST", 8*60*60)
	at := time.Date(2026, 3, 1, 20, 0, 0, 0, shanghai)
	m := msg(MsgAtMoment, Args{At: at, Why: new(msg(MsgAClientGot, Args{Why: new(msg(MsgExchange, Args{Status: 502, At: at}))}))})
	for zone, want := range map[*time.Location]string{
		time.UTC: "12:00:00.000: a client got HTTP 502 at 12:00:00.000", shanghai: "20:00:00.000: a client got HTTP 502 at 20:00:00.000",
	} {
		if got := m.InZone(zone).String(); got != want {
			t.Errorf("in %s: got %q, want %q", zone, got, want)
		}
	}
	if got, want := m.String(), m.InZone(time.UTC).String(); got != want {
		t.Errorf("got %q, want it in UTC as it was made", got)
	}
}

// TestChineseSpans tests that durations have Chinese units.
func TestChineseSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 秒", 10 * time.Second: "10 秒", 90 * time.Second: "1 分 30 秒", time.Minute: "1 分钟", 2*time.Hour + time.Minute: "2 小时 1 分钟", 2 * time.Hour: "2 小时",
		1500 * time.Millisecond: "1.5 秒", 12300 * time.Microsecond: "12.3 毫秒", 3*time.Hour + time.Second: "3 小时 0 分 1 秒",
	} {
		if got := spanInChinese(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}

// TestWithTimes tests that a finding for another clock keeps no time of the old one.
func TestWithTimes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 3, 14, 0, 0, 0, time.UTC)
	var zero Finding
	changed := zero.WithTimes(func(time.Time) time.Time { return at })
	var visit func(path string, v reflect.Value)
	visit = func(path string, v reflect.Value) {
		switch {
		case v.Type() == reflect.TypeFor[time.Time]():
			if v.IsZero() {
				t.Errorf("%s keeps its time", path)
			}
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				visit(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	}
	visit("Finding", reflect.ValueOf(changed))
}

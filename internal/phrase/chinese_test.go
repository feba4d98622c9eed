package phrase_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/must"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// folders have the code whose texts are translated.
var folders = []string{"../demo", "../gate", "../gate/watch", "../importer", "../render", "../../cmd/stickwatch"}

// textArguments are the functions that take texts, with the positions of these.
var textArguments = map[string][]int{
	"New": {0}, "Translate": {0}, "note": {0}, "remark": {0}, "labelled": {0}, "heading": {0}, "counted": {2}, "headings": {0, 1, 2, 3, 4, 5, 6, 7},
}

// textsOf returns the texts of the code with their positions. A text that is no literal is left
// out; textsOfTypes has those.
func textsOf(t *testing.T) map[string]token.Position {
	t.Helper()
	texts := make(map[string]token.Position)
	files := token.NewFileSet()
	for _, folder := range folders {
		names, err := fs.Glob(os.DirFS(folder), "*.go")
		must.Succeed(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(files, filepath.Join(folder, name), nil, 0)
			must.Succeed(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				for text, at := range textsOfCall(n) {
					texts[text] = files.Position(at)
				}
				return true
			})
		}
	}
	return texts
}

func textsOfCall(n ast.Node) map[string]token.Pos {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return nil
	}
	function, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	texts := make(map[string]token.Pos)
	switch from := function.X.(type) {
	case *ast.Ident:
		if from.Name == "errors" || from.Name == "template" {
			return nil
		}
	case *ast.CompositeLit: // of a reader of English
		return nil
	}
	if function.Sel.Name == "Count" && len(call.Args) == 3 {
		if many, ok := literal(call.Args[2]); ok {
			texts["%d "+many] = call.Pos()
		}
	}
	for _, position := range textArguments[function.Sel.Name] {
		if position < len(call.Args) {
			if text, ok := literal(call.Args[position]); ok && strings.ContainsFunc(text, isLetter) {
				texts[text] = call.Pos()
			}
		}
	}
	return texts
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func literal(e ast.Expr) (string, bool) {
	basic, ok := e.(*ast.BasicLit)
	if !ok || basic.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(basic.Value)
	return text, err == nil
}

// textsOfTypes are the texts that code takes from values.
func textsOfTypes() []string {
	var texts []string
	add := func(words ...string) { texts = append(texts, words...) }
	for _, v := range []checks.Verdict{checks.Healthy, checks.Degraded, checks.Failing, checks.Inconclusive} {
		add(string(v))
	}
	for _, s := range []checks.Severity{checks.Info, checks.Warning, checks.Critical} {
		add(string(s))
	}
	for _, s := range []alerting.State{alerting.Pending, alerting.Firing, alerting.Resolved} {
		add(string(s))
	}
	for _, a := range []checks.Tristate{checks.Yes, checks.No, checks.Unknown} {
		add(string(a))
	}
	for _, k := range []checks.TargetKind{checks.TargetNode, checks.TargetBalancer, checks.TargetDependency, checks.TargetCanary, checks.TargetSession} {
		add(string(k))
	}
	for _, f := range []probes.Failure{
		probes.FailureDNS, probes.FailureRefused, probes.FailureUnreachable, probes.FailureReset, probes.FailureTimeout, probes.FailureTLS,
		probes.FailureMalformed, probes.FailureRedirect, probes.FailureCancelled, probes.FailureProber, probes.FailureOther,
	} {
		add(string(f))
	}
	for _, f := range demo.Faults() {
		add(f.Description, f.Look)
	}
	for _, s := range demo.Scenarios() {
		add(s.Description)
	}
	// Labels and headers that a table of the code has.
	add("started", "notified", "ended", "guarantee", "outage", "node", "moved", "lost", "doubt")
	add("NODE", "DIRECT", "STATE", "PAGES", "ROTATION", "VERSION", "CLOCK", "LATENCY")
	add("nodes", "clients", "follow-ups", "failover readiness")
	return texts
}

// TestChineseIsComplete: every text has a translation with the same verbs, and every
// translation is of a text.
func TestChineseIsComplete(t *testing.T) {
	texts := textsOf(t)
	if len(texts) < 150 {
		t.Fatalf("found %d texts, want all of them", len(texts))
	}
	for _, text := range textsOfTypes() {
		texts[text] = token.Position{}
	}
	format := regexp.MustCompile(`%(?:\[\d\])?[sdv]`)
	letters := regexp.MustCompile(`[A-Za-z]`)
	for text, at := range texts {
		translated, ok := phrase.Chinese[text]
		if !ok && letters.MatchString(format.ReplaceAllString(text, "")) && !slices.Contains(untranslated, text) {
			t.Errorf("%s: %q has no Chinese translation", at, text)
		}
		if want, got := len(format.FindAllString(text, -1)), len(format.FindAllString(translated, -1)); ok && want != got {
			t.Errorf("%q has %d verbs, and %d in Chinese", text, want, got)
		}
	}
	for text := range phrase.Chinese {
		if _, used := texts[text]; !used && letters.MatchString(text) {
			t.Errorf("nothing says %q", text)
		}
	}
}

// untranslated are texts of protocols.
var untranslated = []string{"HTTP %d", "dns", "tls"}

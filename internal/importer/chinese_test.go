package importer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/internal/phrase"
	"stickwatch/internal/phrase/latin"
)

var chineseReader = phrase.Reader{Language: checks.Chinese}

// TestChinese imports every configuration of the tests for a Chinese reader: the comments, notes,
// guesses and questions have no sentence in another language.
func TestChinese(t *testing.T) {
	for name, p := range kinds(t) {
		archive, err := txtar.ParseFile(name)
		must.Succeed(t, err)
		files := memoryFiles{}
		for _, f := range inputs(archive) {
			files[f.Name] = string(f.Data)
		}
		if imp, err := read(p, files, archive.Files[0].Name, Options{}); err == nil { // errors are in English
			expectChinese(t, name, imp, files)
		}
	}
	for _, f := range fixtures {
		files := memoryFiles{}
		dir := filepath.Dir(f.file)
		err := filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && entry.Name() != wantFile {
				text, readError := os.ReadFile(name)
				files[name], err = string(text), readError
			}
			return err
		})
		must.Succeed(t, err)
		imp, err := Read(f.product, f.file, Options{})
		must.Succeed(t, err)
		expectChinese(t, f.file, imp, files)
	}
}

// expectChinese fails for each text of an import that is not Chinese. Words of the files are
// quoted in any language.
func expectChinese(t *testing.T, name string, imp *Import, files memoryFiles) {
	t.Helper()
	names := slices.Concat(keys, imp.Clusters())
	for file, text := range files {
		names = append(names, splitWords(file)...)
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
				names = append(names, splitWords(line)...)
			}
		}
	}
	texts := slices.Concat(imp.head(chineseReader), imp.Notes(chineseReader), imp.Guesses(chineseReader))
	for _, d := range imp.drafts() {
		names = append(names, d.Name)
		for _, c := range d.keyComments {
			texts = append(texts, c.text.In(chineseReader))
		}
		if !d.Skeleton.IsZero() {
			texts = append(texts, d.Skeleton.In(chineseReader))
		}
	}
	for q, ok := imp.Question(); ok; q, ok = imp.Question() {
		texts = append(texts, q.Why.In(chineseReader))
	}
	for _, text := range texts {
		if words := latin.Words(text, names...); len(words) > 0 {
			t.Errorf("%s: %s: not Chinese: %q", name, text, words)
		}
	}
}

// keys are words of stickwatch.yml and of balancers that a text names.
var keys = []string{
	"GUESS", "method", "PORT", "probe", "memcached-session-manager", "tomcat-msm", "kube-proxy", "profile", "profiles", "init", "url", "nodes", "pages", "session", "evidence", "policy", "schema", "JSESSIONID", "retry", "check", "fail_duration",
	"upstream", "backend", "listen", "reverse_proxy", "service", "cluster", "Ingress", "worker", "balancer", "healthCheck", "maxconn", "selector", "Headless", "clusterIP", "None",
}

func splitWords(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t;,:\"'`[]{}()/.=|<>", r) })
}

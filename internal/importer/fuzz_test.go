package importer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"stickwatch/internal/must"
	"stickwatch/internal/phrase"
)

// fuzz checks that reading any file terminates, and that the written file is valid and
// every line is clean.
func fuzz(f *testing.F, p Product) {
	for _, fixture := range fixtures {
		if fixture.product == p {
			folder := filepath.Dir(fixture.file)
			_ = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
				if err != nil || entry.IsDir() || strings.HasSuffix(path, ".yml") {
					return err
				}
				text, err := os.ReadFile(path)
				f.Add(string(text))
				return err
			})
		}
	}
	archives, _ := filepath.Glob(filepath.Join("testdata/kinds", string(p), "*.txtar"))
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		must.Succeed(f, err)
		f.Add(string(archive.Files[0].Data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		text, err := plainText("conf", []byte(text))
		if err != nil {
			return
		}
		s, err := read(p, memoryFiles{"conf": text}, "conf", Options{})
		if err != nil {
			cleanLines(t, err.Error())
			return
		}
		got, err := s.YAML(phrase.Reader{})
		if errors.Is(err, errNoUpstream) {
			clean(t, err.Error())
			return
		}
		if err != nil {
			t.Fatalf("%v\n%q", err, text)
		}
		cleanLines(t, string(got))
		for _, line := range append(s.Notes(phrase.Reader{}), s.Guesses(phrase.Reader{})...) {
			clean(t, line)
		}
	})
}

func cleanLines(t *testing.T, text string) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		clean(t, line)
	}
}

// clean fails the test if text contains control characters.
func clean(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\n\r\a\b\u202e") {
		t.Errorf("%q is no clean line", text)
	}
}

func FuzzNginx(f *testing.F)   { fuzz(f, Nginx) }
func FuzzApache(f *testing.F)  { fuzz(f, Apache) }
func FuzzHAProxy(f *testing.F) { fuzz(f, HAProxy) }
func FuzzCaddy(f *testing.F)   { fuzz(f, Caddy) }

func FuzzTraefik(f *testing.F)    { fuzz(f, Traefik) }
func FuzzEnvoy(f *testing.F)      { fuzz(f, Envoy) }
func FuzzKubernetes(f *testing.F) { fuzz(f, Kubernetes) }
func FuzzModJK(f *testing.F)      { fuzz(f, ModJK) }

package probes_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stickwatch/probes"
)

func TestConceal(t *testing.T) {
	const secret = `p@ss/wörd "7"`
	basic := base64.StdEncoding.EncodeToString([]byte("ops:" + secret))
	for name, tt := range map[string]struct{ text, want string }{
		"as it is":            {"refused: " + secret + ".", "refused: ***."},
		"in a query":          {"?k=" + url.QueryEscape(secret) + "&", "?k=***&"},
		"in a path":           {"/" + url.PathEscape(secret) + "/x", "/***/x"},
		"a header":            {"Authorization: Basic " + basic + ";", "Authorization: Basic ***;"},
		"in JSON":             {`{"x": "p@ss/wörd \"7\""}`, `{"x": "***"}`},
		"cut":                 {"got p@ss/wö…", "got ***…"},
		"nothing of the kind": {"got status 500", "got status 500"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := probes.Conceal(tt.text, secret, "ops:"+secret); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := probes.Conceal("a bad answer", "a"); got != "a bad answer" {
		t.Errorf("got %q, which reveals that the password is a letter", got)
	}
}

// TestConcealAmidOtherBytes: at every offset in base64, only the characters that a
// secret shares with its neighbours remain.
func TestConcealAmidOtherBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[a-zA-Z0-9!?/+]{8,40}`).Draw(t, "secret")
		before := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "before")
		after := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "after")
		encoding := rapid.SampledFrom([]*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding}).Draw(t, "encoding")
		text := encoding.EncodeToString(slices.Concat(before, []byte(secret), after))
		if got := probes.Conceal(text, secret); !strings.Contains(got, "***") {
			t.Errorf("got %q of %q", got, text)
		}
	})
}

// TestDependencyErrorHidesPassword: a dependency that returns its password does not
// reveal it.
func TestDependencyErrorHidesPassword(t *testing.T) {
	d := probes.Dependency{Name: "db", URL: &url.URL{Scheme: "tcp", Host: "db:1", User: url.UserPassword("ops", "hunter2")}}
	got := d.Ask(t.Context(), func(context.Context, *url.URL) error { return errors.New(`ERR wrong password "hunter2"`) }, 0)
	if strings.Contains(got.Error, "hunter2") || !strings.Contains(got.Error, "wrong password") {
		t.Errorf("got %q", got.Error)
	}
}

package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

func TestSecretShowsItselfToNobody(t *testing.T) {
	type holder struct{ Token Secret }
	h := holder{NewSecret("hunter2")}
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		shown = append(shown, fmt.Sprintf(verb, h), fmt.Sprintf(verb, h.Token), fmt.Sprintf(verb, &h))
	}
	asJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Dump(h)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "holder", h, "token", h.Token)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "holder", h, "token", h.Token)
	for _, text := range append(shown, string(asJSON), string(asYAML), log.String()) {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74") {
			t.Errorf("the secret is in %s", text)
		}
	}
	if got := string(asJSON); got != `{"Token":"***"}` {
		t.Errorf("got JSON %s", got)
	}
	if got := h.Token.Reveal(); got != "hunter2" {
		t.Errorf("Reveal() = %q", got)
	}
}

func TestNoSecret(t *testing.T) {
	var s Secret
	if !s.IsZero() || s.String() != "" || s.Reveal() != "" {
		t.Errorf("got %q, want the zero Secret to be empty", s)
	}
}

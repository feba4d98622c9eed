package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/internal/receivertest"
	"stickwatch/alerting/webhook"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// key is the secret, which must not be visible anywhere.
const key = "correct horse"

type secret string

func (s secret) Reveal() string { return string(s) }

// A request is a received request.
type request struct {
	header http.Header
	body   []byte
}

// receiver starts a server that accepts everything.
func receiver(t *testing.T) (address *url.URL, got *[]request) {
	t.Helper()
	got = new([]request)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost {
			t.Errorf("got a %s, error %v, want a POST", r.Method, err)
		}
		*got = append(*got, request{r.Header, body})
	}))
	t.Cleanup(server.Close)
	return must.URL(server.URL + "/hook"), got
}

func newHook(t *testing.T, c webhook.Config) *webhook.Webhook {
	t.Helper()
	w, err := webhook.New(c)
	must.Succeed(t, err)
	return w
}

// TestDocument compares the received documents with the golden files.
func TestDocument(t *testing.T) {
	for language, writer := range receivertest.Writers() {
		for _, n := range []alerting.Notification{example.Fired(), example.Developed(), example.Resolved(), example.Deployment()} {
			name := fmt.Sprintf("%s_%s.json", language, n.Kind)
			t.Run(name, func(t *testing.T) {
				address, got := receiver(t)
				receipt, err := newHook(t, webhook.Config{URL: address, Writer: writer}).Notify(t.Context(), n)
				if err != nil || receipt != (alerting.DeliveryRef{}) {
					t.Fatalf("got receipt %v, error %v, want none", receipt, err)
				}
				expect.Golden(t, "testdata/"+name, receivertest.Indent(t, string((*got)[0].body)))
				h := (*got)[0].header
				want := []string{"application/json", n.ID, "stickwatch", ""}
				expect.Equal(t, "headers", want, []string{h.Get("Content-Type"), h.Get("Idempotency-Key"), h.Get("User-Agent"), h.Get("X-Stickwatch-Signature")})
			})
		}
	}
}

// TestSignature verifies the signature as a receiver would.
func TestSignature(t *testing.T) {
	address, got := receiver(t)
	if _, err := newHook(t, webhook.Config{URL: address, Secret: secret(key)}).Notify(t.Context(), example.Fired()); err != nil {
		t.Fatal(err)
	}
	r := (*got)[0]
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "%s.%s", r.header.Get("X-Stickwatch-Timestamp"), r.body)
	if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); r.header.Get("X-Stickwatch-Signature") != want {
		t.Errorf("got signature %q, want %q", r.header.Get("X-Stickwatch-Signature"), want)
	}
}

// TestUnsigned: an empty secret signs nothing.
func TestUnsigned(t *testing.T) {
	address, got := receiver(t)
	if _, err := newHook(t, webhook.Config{URL: address, Secret: secret("")}).Notify(t.Context(), example.Fired()); err != nil {
		t.Fatal(err)
	}
	if signature := (*got)[0].header.Values("X-Stickwatch-Signature"); len(signature) != 0 {
		t.Errorf("got signature %q, want none", signature)
	}
}

// TestHostile: for any text from a target, the document is bounded and has only clean
// lines.
func TestHostile(t *testing.T) {
	address, got := receiver(t)
	w := newHook(t, webhook.Config{URL: address, Writer: receivertest.English()})
	if _, err := w.Notify(t.Context(), example.Hostile()); err != nil {
		t.Fatal(err)
	}
	body := (*got)[0].body
	if !json.Valid(body) || !utf8.Valid(body) || len(body) > 1<<19 {
		t.Errorf("got %d bytes, valid JSON %t, valid UTF-8 %t, want a valid document of at most 512 KiB", len(body), json.Valid(body), utf8.Valid(body))
	}
	for _, evil := range []string{"\x1b", `\u001b`, "\u202e", `\u202e`} {
		if bytes.Contains(body, []byte(evil)) {
			t.Errorf("got %q in the document", evil)
		}
	}
}

// TestErrorsShowNoSecret: errors contain neither the key nor the URL, whose path may
// be a password.
func TestErrorsShowNoSecret(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, r.URL.Path+" "+r.Header.Get("X-Stickwatch-Signature"), http.StatusBadRequest)
	}))
	defer echo.Close()
	for _, address := range []string{echo.URL + "/hidden", "http://hidden:hidden@127.0.0.1:1/hidden"} {
		_, err := newHook(t, webhook.Config{URL: must.URL(address), Secret: secret(key)}).Notify(t.Context(), example.Fired())
		if text := fmt.Sprintf("%+v %#v", err, err); err == nil || strings.Contains(text, "hidden") || strings.Contains(text, key) || strings.Contains(text, "sha256") {
			t.Errorf("got error %q, want one without secrets", text)
		}
	}
}

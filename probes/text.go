package probes

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxError bounds Exchange.Error and every other text taken from a target, in
// bytes.
const MaxError = 240

// Clean makes one harmless line of a text that a target may have written: no
// control characters, no terminal escapes, no invisible reordering of what
// stands around it, valid UTF-8, at most limit bytes.
func Clean(text string, limit int) string {
	if len(text) > 4*limit {
		text = text[:4*limit]
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError:
			return -1
		default:
			return r
		}
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= limit {
		return text
	}
	const end = "…"
	if limit < len(end) {
		return ""
	}
	cut := limit - len(end)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + end
}

// MaxValue bounds what an Extractor may return, in bytes.
const MaxValue = 256

// A Document is an answer as extractors read it.
type Document struct {
	Header  http.Header
	Body    []byte            // cut at MaxBody
	Cookies map[string]string // what the client holds for the page after this answer
}

// MaxBody bounds how much of an answer is read, in bytes.
const MaxBody = 1 << 20

// An Extractor finds one value in an answer.
type Extractor interface {
	// Extract returns the value, trimmed, of at most MaxValue bytes and without
	// control characters, and whether the answer has one.
	Extract(Document) (string, bool)
}

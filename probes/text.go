package probes

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxError bounds Exchange.Error and all other texts from a target, in bytes.
const MaxError = 240

// Clean returns one line of a text that may come from a target, in valid UTF-8 and of
// at most limit bytes. It has no control characters, no terminal escapes and no
// characters that change the direction of text. Only the first 4*limit bytes are read.
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

// MaxValue bounds the values of an Extractor, in bytes.
const MaxValue = 256

// A Document is an answer from which extractors read.
type Document struct {
	Header  http.Header
	Body    []byte            // at most MaxBody bytes
	Cookies map[string]string // the cookies that the client has for the page after this answer, by name

	url  *url.URL  // of the page, after redirects; nil: not known
	next *url.URL  // to which the answer redirects on the target; nil: nowhere
	from *Document // the first answer, if redirects were followed

	derived map[any]any // of Derived, shared by copies; nil: nothing is kept
}

// Derived returns what compute makes of the header and the body of a document, and computes it
// once for each key: several extractors read the same page. One goroutine uses a document.
func Derived[T any](doc Document, key any, compute func() T) T {
	if known, ok := doc.derived[key]; ok {
		return known.(T)
	}
	value := compute()
	if doc.derived != nil {
		doc.derived[key] = value
	}
	return value
}

// MaxBody bounds how much of an answer is read, in bytes.
const MaxBody = 1 << 20

// An Extractor reads one value from an answer.
type Extractor interface {
	// Extract returns the value, trimmed, of at most MaxValue bytes and without control
	// characters, and whether there is one.
	Extract(Document) (string, bool)
}

package probes

import "net/http"

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

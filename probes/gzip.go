package probes

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
)

const (
	// maxCompressed bounds the bytes of a compressed body that are read: those of an
	// honest page of MaxBody are fewer.
	maxCompressed = MaxBody
	// maxMembers bounds the gzip members of a body. Servers send one, and some one for
	// each part of a page.
	maxMembers = 64
)

var (
	errCompressed = errors.New("the compressed answer has no end")
	errMembers    = errors.New("the compressed answer has too many parts")
)

// askGzip asks for a compressed answer, as http.Transport would if it were let,
// and reports whether it did.
func askGzip(req *http.Request) bool {
	if req.Header.Get("Accept-Encoding") != "" || req.Header.Get("Range") != "" || req.Method == http.MethodHead {
		return false
	}
	req.Header.Set("Accept-Encoding", "gzip")
	return true
}

// gunzip has the body of a compressed answer read decompressed, in the place of
// http.Transport, which goes on for as long as members come that hold nothing.
func gunzip(resp *http.Response) {
	if !strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		return
	}
	resp.Header.Del("Content-Encoding")
	resp.Header.Del("Content-Length")
	resp.ContentLength, resp.Uncompressed = -1, true
	resp.Body = &gzipBody{Closer: resp.Body, r: bufio.NewReader(&atMost{resp.Body, maxCompressed})}
}

// A gzipBody decompresses a body.
type gzipBody struct {
	io.Closer
	r       *bufio.Reader
	z       *gzip.Reader // nil: nothing was read yet
	members int
	err     error
}

// Read implements io.Reader.
func (b *gzipBody) Read(p []byte) (n int, err error) {
	for b.err == nil {
		if b.z == nil {
			b.z, b.err = gzip.NewReader(b.r)
			if b.err != nil {
				break
			}
			b.z.Multistream(false)
		}
		n, err = b.z.Read(p)
		if !errors.Is(err, io.EOF) {
			b.err = err
			return n, err
		}
		b.next()
		if n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

// next begins the next member.
func (b *gzipBody) next() {
	if b.members++; b.members == maxMembers {
		b.err = errMembers
		return
	}
	if b.err = b.z.Reset(b.r); b.err == nil {
		b.z.Multistream(false)
	}
}

// atMost reads n bytes and then fails, unless that was the end.
type atMost struct {
	r io.Reader
	n int
}

// Read implements io.Reader.
func (a *atMost) Read(p []byte) (int, error) {
	if a.n <= 0 {
		return 0, errCompressed
	}
	n, err := a.r.Read(p[:min(len(p), a.n)])
	a.n -= n
	return n, err
}

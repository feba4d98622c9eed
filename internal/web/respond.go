package web

import (
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// minCompressSize is the minimum size for compression, in bytes. Smaller responses fit in one
// packet.
const minCompressSize = 1200

var compressors = sync.Pool{New: func() any {
	// the constant level is valid
	z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return z
}}

// write sends a response, compressed if that is useful and accepted.
func write(w http.ResponseWriter, r *http.Request, contentType string, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Add("Vary", "Accept-Encoding")
	if len(body) < minCompressSize || !acceptsGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			// the client may have disconnected
			_, _ = w.Write(body)
		}
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(w)
	_, _ = z.Write(body)
	_ = z.Close()
}

// acceptsGzip reports whether an Accept-Encoding header accepts gzip.
func acceptsGzip(accept string) bool {
	for one := range strings.SplitSeq(accept, ",") {
		name, quality, _ := strings.Cut(one, ";")
		if strings.TrimSpace(name) != "gzip" {
			continue
		}
		q, given := strings.CutPrefix(strings.TrimSpace(quality), "q=")
		return !given || strings.Trim(q, "0.") != ""
	}
	return false
}

// policy is the content security policy. Pages load only their own stylesheet, script and
// event stream, and nothing inline, so that markup injected by a target cannot run.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// withSecurityHeaders adds security headers to every response. It keeps headers of the web configuration.
func withSecurityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy":    policy,
			"Cross-Origin-Opener-Policy": "same-origin",
			"Referrer-Policy":            "same-origin",
			"X-Content-Type-Options":     "nosniff",
			"X-Frame-Options":            "DENY",
		} {
			if w.Header().Get(name) == "" {
				w.Header().Set(name, value)
			}
		}
		next.ServeHTTP(w, r)
	})
}

//go:embed static
var staticFiles embed.FS

// assetLinks are the URLs of embedded files. Each contains a hash of the content, so that
// browsers can cache it forever.
var assetLinks = linkAssets(staticFiles)

// assetTypes replaces the MIME types of the machine, which vary.
var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func linkAssets(files fs.FS) map[string]string {
	links := map[string]string{}
	names, err := fs.Glob(files, "static/*")
	if err != nil {
		panic(err) // the constant pattern is invalid
	}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err) // the file is embedded
		}
		sum := sha256.Sum256(content)
		links[path.Base(name)] = "/" + name + "?v=" + hex.EncodeToString(sum[:6])
	}
	return links
}

func (s *Server) static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("file")
		content, err := staticFiles.ReadFile("static/" + name)
		if err != nil {
			s.writeProblem(w, r, newProblem(http.StatusNotFound, "there is no %s", r.URL.Path))
			return
		}
		if r.URL.Query().Get("v") != "" {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		write(w, r, assetTypes[path.Ext(name)], http.StatusOK, content)
	})
}

// notFound handles requests without a route: the API returns a problem, other paths a page.
func (s *Server) notFound(mux *http.ServeMux) http.Handler {
	page := s.page(func(r *http.Request, p *page) error {
		return newProblem(http.StatusNotFound, "there is no page %s", r.URL.Path)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch allowed := methodsFor(mux, r); {
		case len(allowed) > 0:
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			s.writeProblem(w, r, newProblem(http.StatusMethodNotAllowed, "%s takes %s, got %s", r.URL.Path, strings.Join(allowed, " and "), r.Method))
		case isSafeMethod(r) && !strings.HasPrefix(r.URL.Path, "/api/"):
			page.ServeHTTP(w, r)
		default:
			s.writeProblem(w, r, newProblem(http.StatusNotFound, "there is no %s", r.URL.Path))
		}
	})
}

// methodsFor returns the methods that have a route for the path of r.
func methodsFor(mux *http.ServeMux, r *http.Request) (methods []string) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
			methods = append(methods, method)
		}
	}
	return methods
}

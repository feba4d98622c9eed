package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
)

//go:embed static
var staticFiles embed.FS

// assetLinks are the links to what is embedded, by file: each with a hash of its
// contents, so that browsers may keep it for good.
var assetLinks = linkAssets(staticFiles)

// assetTypes does without the machine's own table, which says what it likes.
var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func linkAssets(files fs.FS) map[string]string {
	links := map[string]string{}
	names, err := fs.Glob(files, "static/*")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err) // it is embedded
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

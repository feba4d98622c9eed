package metrics

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// maxScrapes bounds concurrent scrapes, because each needs memory.
const maxScrapes = 8

// Handler serves the metrics in the text formats and, for native histograms, as protocol
// buffers. It gathers and writes one collector after the other: together, the metrics of a
// scrape would take as much memory as everything that the daemon keeps.
func (l *Live) Handler() http.Handler {
	scrapes := make(chan struct{}, maxScrapes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case scrapes <- struct{}{}:
			defer func() { <-scrapes }()
		default:
			http.Error(w, fmt.Sprintf("more than %d scrapes at a time", maxScrapes), http.StatusServiceUnavailable)
			return
		}
		format := expfmt.NegotiateIncludingOpenMetrics(r.Header)
		w.Header().Set("Content-Type", string(format))
		w.Header().Set("Vary", "Accept, Accept-Encoding")
		if !acceptsGzip(r) {
			l.write(w, format)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		packed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is valid
		l.write(packed, format)
		_ = packed.Close() // it fails only if the client is gone
	})
}

// acceptsGzip reports whether the client of a request accepts compressed answers.
func acceptsGzip(r *http.Request) bool {
	for accepted := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if coding, weight, _ := strings.Cut(accepted, ";"); strings.TrimSpace(coding) == "gzip" {
			return strings.Trim(weight, " q=.0") != "" || weight == ""
		}
	}
	return false
}

// write writes all metrics until the client is gone.
func (l *Live) write(w io.Writer, format expfmt.Format) {
	out := &withoutComments{Writer: w}
	encoder := expfmt.NewEncoder(out, format)
	for _, c := range l.collectors {
		parts := []prometheus.Collector{c}
		if long, ok := c.(interface{ parts() []prometheus.Collector }); ok && format.FormatType() != expfmt.TypeProtoDelim {
			parts = long.parts()
		}
		for _, part := range parts {
			continues, ok := part.(interface{ continues() bool })
			out.drop, out.inLine, out.inComment = ok && continues.continues(), false, false
			if gather(part, encoder) != nil {
				return
			}
		}
	}
	out.drop = false
	if end, ok := encoder.(expfmt.Closer); ok {
		_ = end.Close() // as above
	}
}

// gather writes the metrics of a collector. It leaves out those that contradict each other, which
// are defects of stickwatch.
func gather(part prometheus.Collector, to expfmt.Encoder) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(guarded{part})
	families, err := registry.Gather()
	if err != nil {
		slog.Error("gathering metrics", "err", err)
	}
	for _, f := range families {
		if err := to.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

// withoutComments can drop the comments at the beginning of a text: a metric that is written in parts
// has its help and its type once.
type withoutComments struct {
	io.Writer
	drop              bool
	inLine, inComment bool
}

// Write implements io.Writer.
func (w *withoutComments) Write(p []byte) (int, error) {
	rest := p
	for w.drop && len(rest) > 0 {
		if !w.inLine {
			w.inLine, w.inComment = true, rest[0] == '#'
			w.drop = w.inComment
			continue
		}
		end := bytes.IndexByte(rest, '\n')
		w.inLine = end < 0
		if w.inLine {
			return len(p), nil
		}
		rest = rest[end+1:]
	}
	if n, err := w.Writer.Write(rest); err != nil {
		return len(p) - len(rest) + n, err
	}
	return len(p), nil
}

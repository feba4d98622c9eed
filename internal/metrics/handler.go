package metrics

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
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
		format := expfmt.NegotiateAccept(r.Header, expfmt.DefaultOpenMetricsAcceptedFormats()...)
		w.Header().Set("Content-Type", string(format))
		w.Header().Set("Vary", "Accept, Accept-Encoding")
		packed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is valid
		out := io.Writer(w)
		if acceptsGzip(r) {
			w.Header().Set("Content-Encoding", "gzip")
			out = packed
		}
		if err := l.write(out, format); err != nil {
			w.Header().Del("Content-Encoding")
			http.Error(w, "gathering metrics: "+err.Error(), http.StatusInternalServerError)
			return
		}
		if out == packed {
			_ = packed.Close() // it fails only if the client is gone
		}
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

// write writes all metrics until the client is gone, as promhttp does with ContinueOnError: it leaves out what cannot
// be gathered, and returns an error if that is everything.
func (l *Live) write(w io.Writer, format expfmt.Format) error {
	var failures []error
	written := false
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
			families, err := gather(part)
			if err != nil {
				failures = append(failures, err)
				l.gatheringErrors.WithLabelValues("gathering").Inc()
			}
			for _, f := range families {
				if encoder.Encode(f) != nil {
					return nil
				}
				written = true
			}
		}
	}
	if len(failures) > 0 {
		err := fmt.Errorf("%d collectors failed: %.1000s", len(failures), errors.Join(failures...).Error())
		l.logGathering(err)
		if !written {
			return err
		}
	}
	out.drop = false
	if end, ok := encoder.(expfmt.Closer); ok {
		_ = end.Close() // as above
	}
	return nil
}

// gather returns the metrics of a collector without those that contradict each other, which are defects of stickwatch.
func gather(part prometheus.Collector) ([]*dto.MetricFamily, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(guarded{part})
	return registry.Gather()
}

// logGathering logs an error at most once a minute, because every scrape has it.
func (l *Live) logGathering(err error) {
	if _, ok := l.gatheringLog.Allow(); ok {
		slog.Error("gathering metrics", "err", err)
	}
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

package metrics

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"slices"
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

// A source is a collector of many series. Its families are the parts in which a scrape in a text format writes
// them, without native buckets, or the whole metrics. Each overwrites the one before: new ones for all series would be
// much more garbage than the text.
type source interface {
	families(text bool) iter.Seq[*dto.MetricFamily]
}

// write writes all metrics until the client is gone, as promhttp does with ContinueOnError: it leaves out what cannot
// be gathered, and returns an error if that is everything.
func (l *Live) write(w io.Writer, format expfmt.Format) error {
	var failures []error
	out := &withoutComments{Writer: w}
	encoder := expfmt.NewEncoder(out, format)
	written := ""
	for _, c := range l.collectors {
		families, err := gather(c, format.FormatType() != expfmt.TypeProtoDelim)
		if err != nil {
			failures = append(failures, err)
			l.gatheringErrors.WithLabelValues("gathering").Inc()
		}
		for f := range families {
			out.next(f.GetName() == written)
			if encoder.Encode(f) != nil {
				return nil
			}
			written = f.GetName()
		}
	}
	if len(failures) > 0 {
		err := fmt.Errorf("%d collectors failed: %.1000s", len(failures), errors.Join(failures...).Error())
		l.logGathering(err)
		if written == "" {
			return err
		}
	}
	out.next(false)
	if end, ok := encoder.(expfmt.Closer); ok {
		_ = end.Close() // as above
	}
	return nil
}

// gather returns the metrics of a collector without those that contradict each other, which are defects of stickwatch.
func gather(c prometheus.Collector, text bool) (iter.Seq[*dto.MetricFamily], error) {
	if s, ok := c.(source); ok {
		return s.families(text), nil
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(guarded{c})
	families, err := registry.Gather()
	return slices.Values(families), err
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

// next begins a text.
func (w *withoutComments) next(drop bool) { w.drop, w.inLine, w.inComment = drop, false, false }

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

package metrics

import (
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A seriesVec is a metric with labels, each series of which has a value V. A daemon has tens of
// thousands of series. Those of the client library would take several times the memory: they do not
// share their label pairs, most counters are 0, and its histograms are made for many writers.
type seriesVec[V any, P value[V]] struct {
	Metric
	description *prometheus.Desc
	order       []int // of the labels, by name

	mu     sync.RWMutex
	series map[string]P // by label values
	pairs  map[[2]string]*dto.LabelPair
}

// A value is the value of a series. It is safe for concurrent use.
type value[V any] interface {
	*V
	write(out *dto.Metric)
}

// A sample is a series during a scrape.
type sample[V any, P value[V]] struct {
	vec   *seriesVec[V, P]
	key   string
	value P
}

type (
	counterVec   = seriesVec[count, *count]
	durationsVec = seriesVec[durations, *durations]
	gaugeVec     = seriesVec[gaugeValue, *gaugeValue]
)

// separator is between the label values of a series, none of which has this byte: see cleanLabel.
const separator = "\xff"

func newSeriesVec[V any, P value[V]](m Metric) *seriesVec[V, P] {
	v := &seriesVec[V, P]{Metric: m, description: m.desc(), series: make(map[string]P), pairs: make(map[[2]string]*dto.LabelPair)}
	for i := range m.Labels {
		v.order = append(v.order, i)
	}
	slices.SortFunc(v.order, func(a, b int) int { return strings.Compare(m.Labels[a], m.Labels[b]) })
	return v
}

// with returns the value of the series with label values in the order of Metric.Labels, and creates
// it at 0.
func (v *seriesVec[V, P]) with(values ...string) P {
	key := strings.Join(values, separator)
	v.mu.RLock()
	s, ok := v.series[key]
	v.mu.RUnlock()
	if ok {
		return s
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if s, ok := v.series[key]; ok {
		return s
	}
	v.share(values)
	s = new(V)
	v.series[key] = s
	return s
}

// share keeps the label pairs of a series for scrapes. The caller holds the lock.
func (v *seriesVec[V, P]) share(values []string) {
	for i, name := range v.Labels {
		if v.pairs[[2]string{name, values[i]}] == nil {
			text := strings.Clone(values[i])
			v.pairs[[2]string{name, text}] = &dto.LabelPair{Name: &v.Labels[i], Value: &text}
		}
	}
}

// each calls a function with the label values of every series and its value.
func (v *seriesVec[V, P]) each(do func(values []string, value P)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for key, s := range v.series {
		do(strings.Split(key, separator), s)
	}
}

// delete drops the series whose labels have all values of a match.
func (v *seriesVec[V, P]) delete(match prometheus.Labels) {
	v.deleteFunc(func(values []string) bool {
		for name, value := range match {
			if at := slices.Index(v.Labels, name); at < 0 || values[at] != value {
				return false
			}
		}
		return true
	})
}

// deleteFunc drops the series for whose label values, in the order of Metric.Labels, drop
// returns true.
func (v *seriesVec[V, P]) deleteFunc(drop func(values []string) bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := len(v.series)
	maps.DeleteFunc(v.series, func(key string, _ P) bool { return drop(strings.Split(key, separator)) })
	if len(v.series) == before {
		return
	}
	clear(v.pairs)
	for key := range v.series {
		v.share(strings.Split(key, separator))
	}
}

// Describe implements prometheus.Collector.
func (v *seriesVec[V, P]) Describe(descs chan<- *prometheus.Desc) { descs <- v.description }

// Collect implements prometheus.Collector. It does not hold the lock while it sends.
func (v *seriesVec[V, P]) Collect(metrics chan<- prometheus.Metric) {
	samples[V, P]{v, v.samples(), false}.Collect(metrics)
}

func (v *seriesVec[V, P]) samples() []sample[V, P] {
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := make([]sample[V, P], 0, len(v.series))
	for key, s := range v.series {
		all = append(all, sample[V, P]{v, key, s})
	}
	return all
}

// maxSamples bounds the samples in a part of a scrape. That of a histogram takes about 2 KB.
const maxSamples = 1000

// parts returns collectors that together collect all series.
func (v *seriesVec[V, P]) parts() (list []prometheus.Collector) {
	all := v.samples()
	slices.SortFunc(all, func(a, b sample[V, P]) int { return strings.Compare(a.key, b.key) })
	for part := range slices.Chunk(all, maxSamples) {
		list = append(list, samples[V, P]{v, part, len(list) > 0})
	}
	return list
}

// samples are the collector of some series of a vec.
type samples[V any, P value[V]] struct {
	*seriesVec[V, P]
	list  []sample[V, P]
	after bool // others of the same vec precede them
}

// continues reports whether the samples continue a metric.
func (s samples[V, P]) continues() bool { return s.after }

// Collect implements prometheus.Collector.
func (s samples[V, P]) Collect(metrics chan<- prometheus.Metric) {
	for i := range s.list {
		metrics <- &s.list[i]
	}
}

// Desc implements prometheus.Metric.
func (s *sample[V, P]) Desc() *prometheus.Desc { return s.vec.description }

// Write implements prometheus.Metric.
func (s *sample[V, P]) Write(out *dto.Metric) error {
	out.Label = s.vec.labels(s.key)
	s.value.write(out)
	return nil
}

// labels returns the label pairs of a series, by name.
func (v *seriesVec[V, P]) labels(key string) []*dto.LabelPair {
	values, pairs := strings.Split(key, separator), make([]*dto.LabelPair, len(v.Labels))
	v.mu.RLock()
	defer v.mu.RUnlock()
	for to, i := range v.order {
		pairs[to] = v.pairs[[2]string{v.Labels[i], values[i]}]
		if pairs[to] == nil { // dropped since the scrape began
			pairs[to] = &dto.LabelPair{Name: &v.Labels[i], Value: &values[i]}
		}
	}
	return pairs
}

// A count is the value of a counter.
type count struct{ bits atomic.Uint64 }

func (c *count) inc() { c.add(1) }

func (c *count) add(n float64) {
	for {
		bits := c.bits.Load()
		if c.bits.CompareAndSwap(bits, math.Float64bits(math.Float64frombits(bits)+n)) {
			return
		}
	}
}

func (c *count) total() float64 { return math.Float64frombits(c.bits.Load()) }

func (c *count) write(out *dto.Metric) {
	total := c.total()
	out.Counter = &dto.Counter{Value: &total}
}

// A gaugeValue is the value of a gauge.
type gaugeValue struct{ bits atomic.Uint64 }

func (g *gaugeValue) set(n float64) { g.bits.Store(math.Float64bits(n)) }

func (g *gaugeValue) write(out *dto.Metric) {
	now := math.Float64frombits(g.bits.Load())
	out.Gauge = &dto.Gauge{Value: &now}
}

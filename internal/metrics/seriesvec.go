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

	mu     sync.RWMutex
	series map[string]*series[V, P] // by label values
	pairs  map[[2]string]*dto.LabelPair
}

// A value is the value of a series. It is safe for concurrent use.
type value[V any] interface {
	*V
	write(out *dto.Metric)
}

// A series is a value with its labels.
type series[V any, P value[V]] struct {
	vec    *seriesVec[V, P]
	labels []*dto.LabelPair // sorted by name
	value  V
}

type (
	counterVec   = seriesVec[count, *count]
	durationsVec = seriesVec[durations, *durations]
)

// separator is between the label values of a series, none of which has this byte: see cleanLabel.
const separator = "\xff"

func newSeriesVec[V any, P value[V]](m Metric) *seriesVec[V, P] {
	return &seriesVec[V, P]{Metric: m, description: m.desc(), series: make(map[string]*series[V, P]), pairs: make(map[[2]string]*dto.LabelPair)}
}

// with returns the value of the series with label values in the order of Metric.Labels, and creates
// it at 0.
func (v *seriesVec[V, P]) with(values ...string) P {
	key := strings.Join(values, separator)
	v.mu.RLock()
	s, ok := v.series[key]
	v.mu.RUnlock()
	if ok {
		return &s.value
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if s, ok := v.series[key]; ok {
		return &s.value
	}
	s = &series[V, P]{vec: v, labels: make([]*dto.LabelPair, len(values))}
	for i, name := range v.Labels {
		s.labels[i] = v.pair(name, values[i])
	}
	slices.SortFunc(s.labels, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	v.series[key] = s
	return &s.value
}

// pair returns a label pair. The caller holds the lock.
func (v *seriesVec[V, P]) pair(name, value string) *dto.LabelPair {
	key := [2]string{name, value}
	if v.pairs[key] == nil {
		v.pairs[key] = &dto.LabelPair{Name: &name, Value: &value}
	}
	return v.pairs[key]
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
	maps.DeleteFunc(v.series, func(key string, _ *series[V, P]) bool { return drop(strings.Split(key, separator)) })
	if len(v.series) == before {
		return
	}
	clear(v.pairs)
	for _, s := range v.series {
		for _, p := range s.labels {
			v.pairs[[2]string{p.GetName(), p.GetValue()}] = p
		}
	}
}

// Describe implements prometheus.Collector.
func (v *seriesVec[V, P]) Describe(descs chan<- *prometheus.Desc) { descs <- v.description }

// Collect implements prometheus.Collector. It does not hold the lock while it sends.
func (v *seriesVec[V, P]) Collect(metrics chan<- prometheus.Metric) {
	v.mu.RLock()
	all := slices.Collect(maps.Values(v.series))
	v.mu.RUnlock()
	for _, s := range all {
		metrics <- s
	}
}

// Desc implements prometheus.Metric.
func (s *series[V, P]) Desc() *prometheus.Desc { return s.vec.description }

// Write implements prometheus.Metric.
func (s *series[V, P]) Write(out *dto.Metric) error {
	out.Label = s.labels
	P(&s.value).write(out)
	return nil
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

func (c *count) write(out *dto.Metric) {
	total := math.Float64frombits(c.bits.Load())
	out.Counter = &dto.Counter{Value: &total}
}

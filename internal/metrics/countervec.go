package metrics

import (
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A counterVec is a counter with labels. A daemon has tens of thousands of series, most of which
// are 0. Those of a prometheus.CounterVec would take four times the memory, because they do not
// share their label pairs.
type counterVec struct {
	Metric
	description *prometheus.Desc

	mu     sync.RWMutex
	series map[string]*counterSeries // by label values
	pairs  map[[2]string]*dto.LabelPair
}

func newCounterVec(m Metric) *counterVec {
	return &counterVec{Metric: m, description: m.desc(), series: make(map[string]*counterSeries), pairs: make(map[[2]string]*dto.LabelPair)}
}

// A counterSeries is a series of a counterVec.
type counterSeries struct {
	vec    *counterVec
	labels []*dto.LabelPair // sorted by name
	bits   atomic.Uint64    // of the value
}

// with returns the series with label values in the order of Metric.Labels, and creates it at 0.
func (v *counterVec) with(values ...string) *counterSeries {
	key := strings.Join(values, "\xff") // no label value has this byte: see cleanLabel
	v.mu.RLock()
	c, ok := v.series[key]
	v.mu.RUnlock()
	if ok {
		return c
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if c, ok := v.series[key]; ok {
		return c
	}
	c = &counterSeries{vec: v, labels: make([]*dto.LabelPair, len(values))}
	for i, name := range v.Labels {
		c.labels[i] = v.pair(name, values[i])
	}
	slices.SortFunc(c.labels, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	v.series[key] = c
	return c
}

// pair returns a label pair. The caller holds the lock.
func (v *counterVec) pair(name, value string) *dto.LabelPair {
	key := [2]string{name, value}
	if v.pairs[key] == nil {
		v.pairs[key] = &dto.LabelPair{Name: &name, Value: &value}
	}
	return v.pairs[key]
}

// delete drops the series whose labels have all values of a match.
func (v *counterVec) delete(match prometheus.Labels) {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.pairs)
	for key, c := range v.series {
		matching := 0
		for _, p := range c.labels {
			if value, ok := match[p.GetName()]; ok && value == p.GetValue() {
				matching++
			}
		}
		if matching == len(match) {
			delete(v.series, key)
			continue
		}
		for _, p := range c.labels {
			v.pairs[[2]string{p.GetName(), p.GetValue()}] = p
		}
	}
}

// Describe implements prometheus.Collector.
func (v *counterVec) Describe(descs chan<- *prometheus.Desc) { descs <- v.description }

// Collect implements prometheus.Collector. It does not hold the lock while it sends.
func (v *counterVec) Collect(metrics chan<- prometheus.Metric) {
	v.mu.RLock()
	all := make([]*counterSeries, 0, len(v.series))
	for _, c := range v.series {
		all = append(all, c)
	}
	v.mu.RUnlock()
	for _, c := range all {
		metrics <- c
	}
}

func (c *counterSeries) inc() { c.add(1) }

func (c *counterSeries) add(n float64) {
	for {
		bits := c.bits.Load()
		if c.bits.CompareAndSwap(bits, math.Float64bits(math.Float64frombits(bits)+n)) {
			return
		}
	}
}

// Desc implements prometheus.Metric.
func (c *counterSeries) Desc() *prometheus.Desc { return c.vec.description }

// Write implements prometheus.Metric.
func (c *counterSeries) Write(out *dto.Metric) error {
	value := math.Float64frombits(c.bits.Load())
	out.Label, out.Counter = c.labels, &dto.Counter{Value: &value}
	return nil
}

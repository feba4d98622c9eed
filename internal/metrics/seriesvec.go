package metrics

import (
	"iter"
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

	mu      sync.RWMutex
	series  map[seriesKey]P
	numbers map[[2]string]uint32 // of label pairs, by name and value
	pairs   []*dto.LabelPair     // by number; it only grows until it is replaced
}

// A seriesKey has the numbers of the label pairs of a series, in the order of Metric.Labels. A
// metric has at most as many labels.
type seriesKey [4]uint32

// A value is the value of a series. It is safe for concurrent use.
type value[V any] interface {
	*V
	// write sets the value of out, and reuses that of an earlier series in it.
	write(out *dto.Metric, native bool)
	kind() dto.MetricType
}

// A sample is a series during a scrape.
type sample[V any, P value[V]] struct {
	*scrape[V, P]
	key   seriesKey
	value P
}

// A scrape is a vec with the label pairs that its keys have during a scrape.
type scrape[V any, P value[V]] struct {
	vec   *seriesVec[V, P]
	pairs []*dto.LabelPair
}

type (
	counterVec   = seriesVec[count, *count]
	durationsVec = seriesVec[durations, *durations]
	gaugeVec     = seriesVec[gaugeValue, *gaugeValue]
)

func newSeriesVec[V any, P value[V]](m Metric) *seriesVec[V, P] {
	v := &seriesVec[V, P]{Metric: m, description: m.desc()}
	v.reset()
	for i := range m.Labels {
		v.order = append(v.order, i)
	}
	slices.SortFunc(v.order, func(a, b int) int { return strings.Compare(m.Labels[a], m.Labels[b]) })
	return v
}

// reset drops all series and label pairs.
func (v *seriesVec[V, P]) reset() {
	v.series, v.numbers, v.pairs = make(map[seriesKey]P), make(map[[2]string]uint32), nil
}

// with returns the value of the series with label values in the order of Metric.Labels, and creates
// it at 0.
func (v *seriesVec[V, P]) with(values ...string) P {
	v.mu.RLock()
	s := v.find(values)
	v.mu.RUnlock()
	if s != nil {
		return s
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if s = v.find(values); s == nil {
		s = new(V)
		v.add(values, s)
	}
	return s
}

// find returns the value of a series; nil: there is none. The caller holds the lock.
func (v *seriesVec[V, P]) find(values []string) P {
	var key seriesKey
	for i, name := range v.Labels {
		number, ok := v.numbers[[2]string{name, values[i]}]
		if !ok {
			return nil
		}
		key[i] = number
	}
	return v.series[key]
}

// add adds a series. The caller holds the lock.
func (v *seriesVec[V, P]) add(values []string, s P) {
	var key seriesKey
	for i, name := range v.Labels {
		number, ok := v.numbers[[2]string{name, values[i]}]
		if !ok {
			text := strings.Clone(values[i])
			number = uint32(len(v.pairs))
			v.numbers[[2]string{name, text}] = number
			v.pairs = append(v.pairs, &dto.LabelPair{Name: &v.Labels[i], Value: &text})
		}
		key[i] = number
	}
	v.series[key] = s
}

// values returns the label values of a series. The caller holds the lock.
func (v *seriesVec[V, P]) values(key seriesKey) []string {
	values := make([]string, len(v.Labels))
	for i := range values {
		values[i] = v.pairs[key[i]].GetValue()
	}
	return values
}

// each calls a function with the label values of every series and its value.
func (v *seriesVec[V, P]) each(do func(values []string, value P)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for key, s := range v.series {
		do(v.values(key), s)
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
	type kept struct {
		values []string
		value  P
	}
	list := make([]kept, 0, len(v.series))
	for key, s := range v.series {
		if values := v.values(key); !drop(values) {
			list = append(list, kept{values, s})
		}
	}
	if len(list) == len(v.series) {
		return
	}
	v.reset()
	for _, k := range list {
		v.add(k.values, k.value)
	}
}

// Describe implements prometheus.Collector.
func (v *seriesVec[V, P]) Describe(descs chan<- *prometheus.Desc) { descs <- v.description }

// Collect implements prometheus.Collector. It does not hold the lock while it sends.
func (v *seriesVec[V, P]) Collect(metrics chan<- prometheus.Metric) {
	for _, s := range v.samples() {
		metrics <- s
	}
}

func (v *seriesVec[V, P]) samples() []sample[V, P] {
	v.mu.RLock()
	defer v.mu.RUnlock()
	all, now := make([]sample[V, P], 0, len(v.series)), &scrape[V, P]{v, v.pairs}
	for key, s := range v.series {
		all = append(all, sample[V, P]{now, key, s})
	}
	return all
}

// maxSamples bounds the samples in a part of a scrape. That of a histogram takes about 2 KB.
const maxSamples = 200

// families implements source.
func (v *seriesVec[V, P]) families(text bool) iter.Seq[*dto.MetricFamily] {
	return func(yield func(*dto.MetricFamily) bool) {
		all, size := v.samples(), maxSamples
		slices.SortFunc(all, sample[V, P].compare)
		if !text {
			size = max(len(all), 1)
		}
		written := make([]*dto.Metric, min(len(all), size))
		for i := range written {
			written[i] = new(dto.Metric)
		}
		family := &dto.MetricFamily{Name: &v.Name, Help: &v.Help, Type: P(nil).kind().Enum()}
		for part := range slices.Chunk(all, size) {
			for i, s := range part {
				s.write(written[i], !text)
			}
			if family.Metric = written[:len(part)]; !yield(family) {
				return
			}
		}
	}
}

// compare orders samples of a scrape by their label values.
func (s sample[V, P]) compare(other sample[V, P]) int {
	for i := range s.vec.Labels {
		if a, b := s.key[i], other.key[i]; a != b {
			return strings.Compare(s.pairs[a].GetValue(), s.pairs[b].GetValue())
		}
	}
	return 0
}

// Desc implements prometheus.Metric.
func (s sample[V, P]) Desc() *prometheus.Desc { return s.vec.description }

// Write implements prometheus.Metric.
func (s sample[V, P]) Write(out *dto.Metric) error {
	s.write(out, true)
	return nil
}

func (s sample[V, P]) write(out *dto.Metric, native bool) {
	out.Label = out.Label[:0]
	for _, i := range s.vec.order {
		out.Label = append(out.Label, s.pairs[s.key[i]])
	}
	s.value.write(out, native)
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

func (*count) kind() dto.MetricType { return dto.MetricType_COUNTER }

func (c *count) write(out *dto.Metric, _ bool) {
	if out.Counter == nil {
		out.Counter = &dto.Counter{Value: new(float64)}
	}
	*out.Counter.Value = c.total()
}

type gaugeValue struct{ bits atomic.Uint64 }

func (g *gaugeValue) set(n float64) { g.bits.Store(math.Float64bits(n)) }

func (*gaugeValue) kind() dto.MetricType { return dto.MetricType_GAUGE }

func (g *gaugeValue) write(out *dto.Metric, _ bool) {
	if out.Gauge == nil {
		out.Gauge = &dto.Gauge{Value: new(float64)}
	}
	*out.Gauge.Value = math.Float64frombits(g.bits.Load())
}

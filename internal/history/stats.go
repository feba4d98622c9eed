package history

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stickwatch/internal/panics"
)

// Stats are statistics of the writer.
type Stats struct {
	Queue       int       // queued rows
	Dropped     int64     // rows that were dropped or came too late since the start
	WriteErrors int64     // failed and hanging writes, and checks that found the file damaged or missing
	LastError   string    // of the last write, which may still hang; "": it succeeded
	LastWrite   time.Time // time of the last successful write; zero: none
	Size        int64     // bytes on disk, including the journal
	Damage      string    // damage of the file and how to recover; "": none found
}

// Stats returns the current statistics.
func (db *DB) Stats() Stats {
	s := db.meter.stats()
	s.Queue, s.Dropped = db.queue.state()
	s.Size = db.engine.size()
	return s
}

// A meter counts the work of the writer.
type meter struct {
	seconds prometheus.Histogram

	mu    sync.Mutex
	state Stats
}

func newMeter() *meter {
	return &meter{seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "stickwatch_history_write_seconds",
		Help: "Duration of a write to the history: a batch, or an incident with its notifications. " +
			"Probes do not wait for it. A duration of seconds means a slow disk.",
		Buckets:                     prometheus.ExponentialBuckets(0.001, 4, 8), // 1 ms to 16 s
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	})}
}

// HangsAfter is the duration after which a write counts as failed, although the disk has
// neither completed nor refused it.
const HangsAfter = 30 * time.Second

// ErrHangs is the error of such a write.
var ErrHangs = fmt.Errorf("the disk has not answered for %s", HangsAfter)

// measure runs a write and counts whether it succeeds, fails or hangs.
func (db *DB) measure(write func() error) error {
	began := time.Now()
	hangs := panics.AfterFunc(HangsAfter, panics.History, func() {
		db.meter.failed(ErrHangs)
		db.config.Logger.Error("writing the history hangs", "err", ErrHangs)
	})
	defer hangs.Stop()
	err := write()
	db.meter.seconds.Observe(time.Since(began).Seconds())
	if _, fenced := isFenced(err); err != nil && !fenced { // the database works: another instance has the clusters
		db.meter.failed(err)
		return err
	}
	db.meter.succeeded(db.config.Now())
	return err
}

func (m *meter) succeeded(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.LastWrite, m.state.LastError = at, ""
}

func (m *meter) failed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.WriteErrors++
	m.state.LastError = err.Error()
}

func (m *meter) damaged(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Damage = err.Error()
	m.state.WriteErrors++
}

func (m *meter) stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

var (
	sizeDesc = prometheus.NewDesc("stickwatch_history_size_bytes",
		"Size of the history on disk, including its journal.", nil, nil)
	droppedDesc = prometheus.NewDesc("stickwatch_history_dropped_total",
		"Rows that were dropped because the queue was full or they came too late.", nil, nil)
	queueDesc = prometheus.NewDesc("stickwatch_history_queue_length",
		"Rows that wait for a write.", nil, nil)
	errorsDesc = prometheus.NewDesc("stickwatch_history_write_errors_total",
		"Failed writes, which are retried, writes that hang, and checks that found the file damaged or missing.", nil, nil)
)

// Collector returns a collector of the history's metrics. They have no labels.
func (db *DB) Collector() prometheus.Collector { return collector{db} }

type collector struct{ db *DB }

func (c collector) Describe(descs chan<- *prometheus.Desc) {
	c.db.meter.seconds.Describe(descs)
	for _, d := range []*prometheus.Desc{sizeDesc, droppedDesc, queueDesc, errorsDesc} {
		descs <- d
	}
}

func (c collector) Collect(metrics chan<- prometheus.Metric) {
	s := c.db.Stats()
	c.db.meter.seconds.Collect(metrics)
	metrics <- prometheus.MustNewConstMetric(sizeDesc, prometheus.GaugeValue, float64(s.Size))
	metrics <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, float64(s.Dropped))
	metrics <- prometheus.MustNewConstMetric(queueDesc, prometheus.GaugeValue, float64(s.Queue))
	metrics <- prometheus.MustNewConstMetric(errorsDesc, prometheus.CounterValue, float64(s.WriteErrors))
}

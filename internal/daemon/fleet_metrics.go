package daemon

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// counterPrefix begins the names of the counters of an instance. Each has its own, because each
// counts what it has observed.
func (m *fleetMember) counterPrefix() string { return "instance " + m.name + " " }

// namedCounters returns counters under the names in the history.
func (m *fleetMember) namedCounters(counters map[string]float64) map[string]float64 {
	if m == nil {
		return counters
	}
	named := make(map[string]float64, len(counters))
	for name, value := range counters {
		named[m.counterPrefix()+name] = value
	}
	return named
}

// ownCounters returns the counters of this instance in the history.
func (m *fleetMember) ownCounters(saved map[string]float64) map[string]float64 {
	if m == nil {
		return saved
	}
	own := make(map[string]float64)
	for name, value := range saved {
		if counter, is := strings.CutPrefix(name, m.counterPrefix()); is {
			own[counter] = value
		}
	}
	return own
}

// observeFleet updates the metrics of the fleet, and logs when configurations differ.
func (d *Daemon) observeFleet(context.Context) {
	status := d.fleet.Status()
	if _, alone := d.fleet.Alone(); alone || status.Away == 0 {
		d.onDatabase(alone)
	}
	live := 0
	for _, i := range status.Instances {
		if status.Live(i.Name) {
			live++
		}
	}
	own := slices.DeleteFunc(slices.Sorted(maps.Keys(d.active.Load().leaseEpochs)), func(cluster string) bool { return cluster == "" })
	skewed := strings.Join(status.Skewed(), ", ")
	d.metrics.Fleet(live, own, status.Takeovers, skewed != "")
	d.observeClock()
	switch {
	case skewed == d.fleet.skewed:
	case skewed != "":
		d.logger.Warn("instances of the fleet have another configuration of clusters or alerting", "instances", skewed)
	default:
		d.logger.Info("all instances of the fleet have the same configuration of clusters and alerting")
	}
	d.fleet.skewed = skewed
}

// observeClock reports when the clock of this machine is off, which all its logs suffer from.
func (d *Daemon) observeClock() {
	ahead := d.clock.ahead()
	d.metrics.ClockAhead(ahead)
	off := ahead.Abs() >= clockTolerance
	switch {
	case off == d.fleet.clockOff:
	case off:
		d.logger.Warn("the clock of this machine differs from that of the database, which times are corrected by: set it", "ahead", ahead.Round(100*time.Millisecond))
	default:
		d.logger.Info("the clock of this machine agrees with that of the database")
	}
	d.fleet.clockOff = off
}

// clocksOff returns by how much the clocks of instances that are alive are ahead of that of the database,
// if that is long.
func (m *fleetMember) clocksOff() map[string]time.Duration {
	if m == nil {
		return nil
	}
	off, status := make(map[string]time.Duration), m.Status()
	for _, instance := range status.Instances {
		if status.Live(instance.Name) && instance.ClockAhead.Abs() >= clockTolerance {
			off[instance.Name] = instance.ClockAhead
		}
	}
	return off
}

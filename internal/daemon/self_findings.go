package daemon

import (
	"context"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/monitor"
)

// impaired reports that stickwatch itself cannot probe, or that it can again.
func (d *Daemon) impaired(is monitor.Impairment) {
	d.incidentService.retract(checks.Finding.CannotProbe)
	d.isImpaired.Store(!is.Since.IsZero())
	d.metrics.Impaired(!is.Since.IsZero())
	if is.Since.IsZero() {
		d.logger.Info("stickwatch can probe again")
		return
	}
	d.logger.Error("stickwatch itself cannot probe: no cluster can be judged", "since", is.Since, "reason", is.Reason.String())
	d.incidentService.report(checks.ProberImpairedBy(is.Reason), is.Since)
}

func withCode(code checks.Code) func(checks.Finding) bool {
	return func(f checks.Finding) bool { return f.Code == code }
}

// onDatabase reports that the fleet's database has been away for long, or that it is back.
func (d *Daemon) onDatabase(away bool) {
	if away == d.fleet.away {
		return
	}
	d.fleet.away = away
	if away {
		d.logger.Error("the fleet's database is away: this instance notifies by itself")
		d.incidentService.report(checks.FleetWithoutDatabase(), time.Time{})
		return
	}
	d.logger.Info("the fleet's database is back")
	key := checks.FleetWithoutDatabase().Key()
	d.incidentService.retract(func(f checks.Finding) bool { return f.Key() == key })
}

// onStretch reports by which factor intervals are too long because the machine is too small
// for its clusters. Smaller deviations are a hiccup.
func (d *Daemon) onStretch(factor float64) {
	const begins, ends = 1.1, 1.02
	d.metrics.Stretched(factor)
	switch {
	case !d.overloaded && factor > begins:
		d.overloaded = true
		d.logger.Warn("this machine is too small for its clusters: all are probed less often than configured", "intervals_stretched", factor)
		d.incidentService.report(checks.ProberOverloadedBy(factor), time.Time{})
	case d.overloaded && factor < ends:
		d.overloaded = false
		d.logger.Info("clusters are probed as often as configured again")
		d.incidentService.retract(withCode(checks.ProberOverloaded))
	}
}

// damageShown is how long a damaged history is reported.
const damageShown = time.Hour

// reportRecovery reports a history that was damaged when it was opened.
func (d *Daemon) reportRecovery() {
	r := d.history.Recovery()
	if r == nil {
		d.incidentService.retract(withCode(checks.HistoryDamaged))
		return
	}
	d.incidentService.report(checks.DamagedHistory(r.Kept, r.Detail, r.Rows()), time.Time{})
}

// retractRecovery ends that report after damageShown.
func (d *Daemon) retractRecovery(context.Context) {
	if time.Since(d.began) > damageShown {
		d.incidentService.retract(withCode(checks.HistoryDamaged))
	}
}

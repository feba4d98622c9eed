package daemon

import (
	"context"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/monitor"
)

// impaired reports that stickwatch itself cannot probe, or that it can again.
func (d *Daemon) impaired(is monitor.Impairment) {
	d.incidentStore.retract(checks.ProberImpaired)
	d.isImpaired.Store(!is.Since.IsZero())
	d.metrics.Impaired(!is.Since.IsZero())
	if is.Since.IsZero() {
		d.logger.Info("stickwatch can probe again")
		return
	}
	d.logger.Error("stickwatch itself cannot probe: no cluster can be judged", "since", is.Since, "reason", is.Reason.String())
	d.incidentStore.report(checks.ProberImpairedBy(is.Reason))
}

// damageShown is how long a damaged history is reported.
const damageShown = time.Hour

// reportRecovery reports a history that was damaged when it was opened.
func (d *Daemon) reportRecovery() {
	r := d.history.Recovery()
	if r == nil {
		d.incidentStore.retract(checks.HistoryDamaged)
		return
	}
	d.incidentStore.report(checks.DamagedHistory(r.Kept, r.Detail, r.Rows()))
}

// retractRecovery ends that report after damageShown.
func (d *Daemon) retractRecovery(context.Context) {
	if time.Since(d.began) > damageShown {
		d.incidentStore.retract(checks.HistoryDamaged)
	}
}

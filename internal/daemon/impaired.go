package daemon

import (
	"stickwatch/checks"
	"stickwatch/internal/monitor"
)

// impaired keeps the incident that stickwatch itself cannot probe, which is of no
// cluster.
func (d *Daemon) impaired(is monitor.Impairment) {
	d.incidentStore.retract(checks.ProberImpaired)
	if is.Since.IsZero() {
		d.logger.Info("stickwatch can probe again")
		return
	}
	d.logger.Error("stickwatch itself cannot probe: no cluster can be judged", "since", is.Since, "reason", is.Reason.String())
	d.incidentStore.report(checks.ProberImpairedBy(is.Reason))
}

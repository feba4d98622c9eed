// Package alertmanager sends incidents to a Prometheus Alertmanager through its API
// v2, so that its routing, silences, and on-call schedule apply.
//
// An incident is one alert. Alertmanager identifies alerts by their labels and
// resolves those that are not repeated. A firing alert therefore ends three intervals
// of [Config.Resend] from now, and [Alertmanager.Refresh] repeats it. If stickwatch
// stops, its alerts resolve without notice; monitor separately whether stickwatch is
// up.
//
// All requests are idempotent: an alert that is sent twice is one alert.
package alertmanager

// Package alertmanager hands incidents to a Prometheus Alertmanager by its API
// v2, so that those who have one keep its routing, its silences and its on-call.
//
// An incident is one alert. Alertmanager knows alerts by their labels and takes
// them for over when nobody repeats them: so a firing alert ends three intervals
// of [Config.Resend] from now, and is repeated by [Alertmanager.Keep]. When
// stickwatch dies, its alerts end by themselves; a process that watches whether
// stickwatch is up should be told of that, and is not this package.
//
// Everything is idempotent: an alert that is sent twice is one.
package alertmanager

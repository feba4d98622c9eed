// Package dashboards has two Grafana dashboards with their provisioning, recording and
// alerting rules for Prometheus, and a compose file that runs all of it.
//
// The dashboards are Go code, because the JSON of a panel has eighty lines of which
// three matter. The generated JSON is committed, so that it can be read, imported and
// embedded; a test keeps both equal.
//
// The dashboards need Grafana 11.0 or newer (schema 39) and no plug-in. Queries and rules
// need Prometheus 2.42 or newer and use classic histograms, which need no feature flag.
// Queries do not use the recording rules, so that the dashboards work without them.
package dashboards

//go:generate go test -run ^TestGenerated$ -update .

// Package dashboards is where people look who have Grafana and Prometheus: two
// dashboards, what provisions them, recording and alerting rules, and an example
// of all of it in containers.
//
// The dashboards are written as code, since a panel's JSON is eighty lines of
// which three say something. The JSON is generated and committed, so that it can
// be read, imported and embedded as it is; a test keeps both equal.
//
// They are for Grafana 11.0 or newer (schema 39), and need no plug-in. Queries
// and rules are for Prometheus 2.42 or newer and go by the classic buckets, so
// that they need no feature flag. Queries do not go by the recording rules: the
// dashboards show something before anybody has loaded those.
package dashboards

//go:generate go test -run ^TestGenerated$ -update .

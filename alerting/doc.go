// Package alerting is who is told of what, and when.
//
// Findings that have one cause are one [Incident], from first sight to
// recovery. Everything that decides here is pure: it takes the time as an
// argument, touches nothing, and names its reasons.
package alerting

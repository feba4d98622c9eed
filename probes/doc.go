// Package probes is what stickwatch sees.
//
// A probe asks, and what it saw is an observation: a failed fetch is one too,
// and carries its error. A Go error would mean that stickwatch itself failed.
// What an observation means is for package checks to say.
//
// Everything that comes from a target is hostile: bounded in size and time,
// stripped of control characters, and never trusted to be what it claims. A
// session id never leaves this package: only its Fingerprint does.
package probes

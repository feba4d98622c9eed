// Package gate judges a deployment by the outcomes of clients while a cluster is
// changed.
//
// Its input is a record of clients' requests. It determines which sessions moved or
// were lost and why, for how long no request was served, and which guarantees were
// broken. It does no I/O and has no clock: package watch below it holds the sessions
// and writes the record.
package gate

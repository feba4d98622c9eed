// Package gate judges a deployment: what became of users while a cluster was
// being changed.
//
// It is given a record of what clients met, request by request, and says which
// sessions moved or were lost and why, for how long nobody was answered, and
// which promise that broke. It asks nobody and has no clock: package vigil
// below it holds the sessions and writes the record.
package gate

// Package checks is what observations mean.
//
// It is pure: a Round goes in, a Report comes out; no I/O, no clock, no state.
// A finding without evidence is a rumour, so none is made without; a claim that
// chance could explain is not made before chance is excluded to the confidence
// asked for. Until then the answer is Unknown.
package checks

// Package users simulates a population of reference users: simple HTTP clients that use
// an application as people do and record the outcome of each request.
//
// Their log is the ground truth that stickwatch's judgement is compared with, so they
// share no code with package probes. A user has a cookie jar, a client address and a
// pacing. It holds one session, writes its own values into it, and compares each value
// that it reads with the one that it wrote. It knows neither the configuration of the
// balancer nor the state of the nodes.
package users

// Package users is a crowd of reference users: simple HTTP clients that use an
// application as people do and record what each request met.
//
// They are the truth that stickwatch's judgement is compared with, so they share
// no code with package probes. A user has a cookie jar, a client address and a
// pace, holds one session, writes values of its own into it and compares what
// it reads with what it wrote. A user knows neither the configuration of the
// balancer nor the state of the nodes.
package users

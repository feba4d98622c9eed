package web

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"stickwatch/alerting"
)

// A Config is what a Server serves, and how. Pictures, Past and Live must be
// there; where another source is nil, what needs it is not offered.
type Config struct {
	Snapshots Snapshots
	History   History
	Live      *Live // told of changes by whoever makes them; Serve closes it

	// Unwritten tells which incidents are open while Past cannot be told of them, as
	// copies; ok is false as long as it can. Nil: it always can.
	Unwritten func() (open []alerting.Incident, ok bool)

	Prober   Prober
	Exporter Exporter
	Reloader Reloader
	Metrics  http.Handler // the daemon's own

	// Ready tells why the daemon is not ready to be asked; nil, or an error of
	// nil: it is.
	Ready func() error

	// WebConfigFile is a file in the format of Prometheus's exporter-toolkit: TLS,
	// users, headers, a rate limit. "": plain HTTP without users.
	WebConfigFile string

	// Listen is the host:port at which the daemon answers, for links to it.
	Listen string

	// MaxConnections bounds connections at a time, at each listener but the admin
	// socket; more wait. 0: no bound.
	MaxConnections int

	// ExternalURL is where people find the page when they do not ask for this
	// machine: its host is answered to at loopback. Nil: nowhere else;
	// Server.SetExternalURL changes it.
	ExternalURL *url.URL

	Language string         // of who does not ask for one: en or zh; "": en; Server.Speak changes it
	Location *time.Location // in which the page tells times; nil: the local one; Server.Speak changes it
	Version  string         // of stickwatch, for the foot of the page
	CacheFor time.Duration  // for how long the page shows the same past; 0: 10 s

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default()
}

// withDefaults fills in what zero values mean.
func (c Config) withDefaults() Config {
	c.CacheFor = cmp.Or(c.CacheFor, 10*time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Unwritten == nil {
		c.Unwritten = func() ([]alerting.Incident, bool) { return nil, false }
	}
	if c.Ready == nil {
		c.Ready = func() error { return nil }
	}
	return c
}

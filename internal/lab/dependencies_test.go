package lab

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"stickwatch/probes"
	"stickwatch/probes/memcached"
	"stickwatch/probes/mysql"
	"stickwatch/probes/postgres"
	"stickwatch/probes/redis"
)

// TestDependencies checks that every store is up, is down when it is stopped, is up
// when it is started, times out when it is suspended, and rejects a wrong password with
// an error that does not contain it.
func TestDependencies(t *testing.T) {
	for _, tc := range []struct {
		name     string
		start    func(testing.TB) *Dependency
		ping     probes.Pinger
		password bool // it requires a password
	}{
		{"redis", Redis, redis.Ping, true},
		{"memcached", Memcached, memcached.Ping, false},
		{"mariadb", MariaDB, mysql.Ping, true},
		{"postgres", Postgres, postgres.Ping, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := tc.start(t)
			ask := func(u *url.URL, within time.Duration) probes.DependencyObservation {
				d := probes.Dependency{Name: tc.name, URL: u}
				return d.Ask(t.Context(), tc.ping, within)
			}
			u := parse(t, store.URL())
			expect := func(when string, got probes.DependencyObservation, up bool) {
				t.Helper()
				if got.Up != up {
					t.Errorf("%s: got up %v (%s), want %v", when, got.Up, got.Error, up)
				}
				if strings.Contains(got.Error, Password) || strings.Contains(got.Error, "wrong-word") {
					t.Errorf("%s: %q holds a password", when, got.Error)
				}
			}
			expect("started", ask(u, 10*time.Second), true)
			if tc.password {
				wrong := *u
				wrong.User = url.UserPassword(u.User.Username(), "wrong-word")
				expect("asked with a wrong password", ask(&wrong, 10*time.Second), false)
			}
			store.Suspend()
			expect("frozen", ask(u, 500*time.Millisecond), false)
			store.Resume()
			store.Stop()
			expect("stopped", ask(u, 10*time.Second), false)
			store.Start()
			expect("started again", ask(u, 10*time.Second), true)
		})
	}
}

// TestPlainDependencies tests tcp and http, which need no driver.
func TestPlainDependencies(t *testing.T) {
	store := Memcached(t)
	u := parse(t, "tcp://"+store.Addr())
	if err := probes.PingTCP(t.Context(), u); err != nil {
		t.Errorf("a port that listens: got %v, want nil", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := probes.PingHTTP(ctx, parse(t, "http://"+store.Addr()+"/")); err == nil {
		t.Error("memcached asked over HTTP: got nil, want an error")
	}
}

// Package redis asks a Redis server whether it serves.
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"stickwatch/probes/internal/readlimit"
)

// Ping connects to redis://user:password@host:port/db (rediss:// is TLS),
// authenticates where u has a password, and sends PING. It is a probes.Pinger.
//
// A server that wants a password when u has none is up: it serves those who
// know the password. A refused password is an error, for a node that has the
// same one is refused too.
func Ping(ctx context.Context, u *url.URL) error {
	silence()
	return readlimit.Run(ctx, u, func(ctx context.Context, dial readlimit.Dial) error {
		o, err := redis.ParseURL(u.String())
		if err != nil {
			return err
		}
		var g *guard
		shorten(o, func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if o.TLSConfig != nil {
				conn = tls.Client(conn, o.TLSConfig)
			}
			g = &guard{Conn: conn}
			return g, nil
		})
		client := redis.NewClient(o)
		defer client.Close()
		return explain(client.Ping(ctx).Err(), g, o.Password != "")
	})
}

// silence turns off go-redis's logger, which writes to standard error. It is
// global, and this package is the only one that uses go-redis.
var silence = sync.OnceFunc(logging.Disable)

// shorten leaves o one attempt at one connection, and nothing to say on it but
// a login and a ping.
func shorten(o *redis.Options, dial readlimit.Dial) {
	o.Dialer = dial
	o.DialerRetries = 1
	o.MaxRetries = -1
	o.MinIdleConns = 0
	o.PipelinePoolSize = -1
	// Zero is the default of ten a core: a pool of one redials in the background.
	o.PoolSize = 0
	o.Protocol = 2 // no push messages
	o.ClientName = ""
	o.DisableIdentity = true
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// explain tells a server that serves, if not us, from one that does not.
func explain(err error, g *guard, password bool) error {
	if err == nil {
		return nil
	}
	said := ""
	if answer, ok := errors.AsType[redis.Error](err); ok {
		said = answer.Error()
	} else if g != nil {
		said = g.lastError()
	}
	if said == "" {
		return err
	}
	word, _, _ := strings.Cut(said, " ")
	switch {
	case word == "NOAUTH" && !password, word == "NOPERM":
		return nil
	default:
		return readlimit.Answer{Message: said, Remedy: remedy(said, word)}
	}
}

// remedies are by the first word of an answer.
var remedies = map[string]string{
	"WRONGPASS":  "correct the credentials in the URL",
	"NOAUTH":     "correct the credentials in the URL",
	"LOADING":    "wait, it is reading its data from disk",
	"MASTERDOWN": "this replica has lost its master, look at that one",
	"MISCONF":    "it cannot save to disk and refuses writes, free space or permissions there",
	"BUSY":       "a script blocks it, see SCRIPT KILL",
	"DENIED":     "protected mode refuses clients from other hosts, give it a password",
}

func remedy(said, word string) string {
	switch lower := strings.ToLower(said); {
	case strings.Contains(lower, "max number of clients"):
		return "it has no connection left, see maxclients"
	case strings.Contains(lower, "db index"):
		return "correct the database number in the URL"
	case strings.Contains(lower, "password"):
		return "correct the credentials in the URL"
	default:
		return remedies[strings.TrimPrefix(word, "-")]
	}
}

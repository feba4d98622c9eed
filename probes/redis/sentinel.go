package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"stickwatch/probes"
	"stickwatch/probes/internal/readlimit"
)

// PingPrimary asks Redis Sentinel which server is the primary now, and pings that one:
// redis+sentinel://user:password@host:port/PRIMARY/db?sentinel=host:port. Each parameter
// sentinel is a further Sentinel. User, password and db are those of the primary. It is a
// probes.Pinger.
//
// The primary is up if it is where any of the Sentinels says: one that was cut off may name the
// server before a failover.
func PingPrimary(ctx context.Context, u *url.URL) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, probes.DefaultLimits.Timeout)
		defer cancel()
	}
	name, database, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	sentinels := append([]string{readlimit.Address(u, "26379")}, u.Query()["sentinel"]...)
	var primaries []string
	var failed error
	for i, sentinel := range sentinels {
		var primary string
		err := withShare(ctx, len(sentinels)-i+1, func(ctx context.Context) (err error) {
			primary, err = primaryOf(ctx, u, sentinel, name)
			return err
		})
		switch {
		case err != nil:
			failed = fmt.Errorf("sentinel: %w", err)
		case !slices.Contains(primaries, primary):
			primaries = append(primaries, primary)
		}
	}
	for i, primary := range primaries {
		failed = withShare(ctx, len(primaries)-i, func(ctx context.Context) error {
			return Ping(ctx, &url.URL{Scheme: "redis", User: u.User, Host: primary, Path: database})
		})
		if failed == nil {
			return nil
		}
	}
	return failed
}

// withShare calls ask with the nth part of the time that is left.
func withShare(ctx context.Context, n int, ask func(context.Context) error) error {
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(n))
	defer cancel()
	return ask(ctx)
}

// primaryOf returns the address of a primary by one Sentinel. No error has a secret of u.
func primaryOf(ctx context.Context, u *url.URL, sentinel, name string) (address string, err error) {
	silence()
	err = readlimit.Run(ctx, u, func(ctx context.Context, dial readlimit.Dial) error {
		options := &redis.Options{Addr: sentinel}
		var g *guard
		limit(options, func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			g = &guard{Conn: conn}
			return g, nil
		})
		client := redis.NewSentinelClient(options)
		defer client.Close()
		parts, err := client.GetMasterAddrByName(ctx, name).Result()
		switch {
		case errors.Is(err, redis.Nil):
			return readlimit.AnswerError{Message: "unknown", Remedy: fmt.Sprintf("it has no primary %q, see `SENTINEL masters`", name)}
		case err != nil:
			return explain(err, g, true)
		case len(parts) != 2:
			return readlimit.AnswerError{Message: strings.Join(parts, " "), Remedy: "this is no Sentinel"}
		}
		address = net.JoinHostPort(parts[0], parts[1])
		return nil
	})
	return address, err
}

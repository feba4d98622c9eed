package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// healthcheck checks the daemon at an address of this machine, for the HEALTHCHECK of an
// image without a shell and curl. A daemon that demands a password or a certificate is
// healthy.
func healthcheck(ctx context.Context, listen string) error {
	const timeout = 5 * time.Second
	client := &http.Client{Timeout: timeout, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the connection stays on this machine
	}}
	path := "://" + dialable(listen) + "/-/healthy"
	err := askHealth(ctx, client, "https"+path)
	if errors.Is(err, http.ErrSchemeMismatch) {
		err = askHealth(ctx, client, "http"+path)
	}
	return err
}

// isTLSAlert reports whether the server rejected the TLS handshake: it runs, and demands a
// client certificate. Package tls marks errors of the peer as "remote error".
func isTLSAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

func askHealth(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if isTLSAlert(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("asking %s: %s", url, res.Status)
	}
	return nil
}

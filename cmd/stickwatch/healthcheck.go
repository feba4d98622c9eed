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

// healthcheck asks the daemon that answers at an address of this machine whether
// it is well: for the HEALTHCHECK of an image that has no shell and no curl. A
// daemon that asks for a password, or for a certificate, is well enough to ask.
func healthcheck(ctx context.Context, listen string) error {
	const patience = 5 * time.Second
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		// Whether the certificate is the right one is for those who come from afar.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // this machine asks itself
	}}
	var last error
	for _, scheme := range []string{"http", "https"} {
		if last = askHealth(ctx, client, scheme+"://"+dialable(listen)+"/-/healthy"); last == nil {
			return nil
		}
	}
	return last
}

// isAlert reports whether the other side ended a handshake of TLS: it is there,
// and wants to know first who asks. By this word package tls tells it from a
// failure at our side.
func isAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

func askHealth(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if isAlert(err) {
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

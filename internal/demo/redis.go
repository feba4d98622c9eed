package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"stickwatch/internal/panics"
)

// A Redis is the service that the nodes of a Cluster depend on. It implements only the
// commands of a health check. miniredis 2.40 would not do: an empty command (*0) makes it
// panic in a goroutine of its own, which ends the process.
type Redis struct{ endpoint *endpoint }

// startRedis starts a server on a free port of n; nil: loopback.
func startRedis(n Network) (*Redis, error) {
	s := &Redis{endpoint: newEndpoint("", serveRedis).on(n)}
	if err := s.Start(); err != nil {
		return nil, err
	}
	return s, nil
}

// URL returns the address, such as redis://127.0.0.1:6379.
func (r *Redis) URL() string { return "redis://" + r.endpoint.address() }

// Stop makes the server refuse connections.
func (r *Redis) Stop() { r.endpoint.stop() }

// Start makes the server listen again at its address.
func (r *Redis) Start() error { return r.endpoint.start() }

// ping checks the server as the nodes do.
func (r *Redis) ping(ctx context.Context) error {
	conn, err := dialOn(r.endpoint.network)(ctx, "tcp", r.endpoint.address())
	if err != nil {
		return err
	}
	defer conn.Close()
	defer panics.AfterContext(ctx, panics.Daemon, func() { conn.Close() })()
	io.WriteString(conn, "*1\r\n$4\r\nPING\r\n")
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the answer to PING: %w", err)
	}
	if answer != "+PONG\r\n" {
		return fmt.Errorf("got %q to PING, want PONG", answer)
	}
	return nil
}

func serveRedis(ctx context.Context, ln net.Listener) {
	defer panics.AfterContext(ctx, panics.Daemon, func() { ln.Close() })()
	var wg panics.Group
	defer wg.Wait()
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer conn.Close()
			defer panics.AfterContext(ctx, panics.Daemon, func() { conn.Close() })()
			handleRedis(conn)
		})
	}
}

// handleRedis answers commands until the client disconnects or sends an invalid one.
func handleRedis(conn net.Conn) {
	r := bufio.NewReader(conn)
	for {
		command, err := readCommand(r)
		if err != nil {
			return
		}
		answer := "-ERR unknown command\r\n"
		switch strings.ToUpper(command) {
		case "PING":
			answer = "+PONG\r\n"
		case "CLIENT", "SELECT", "QUIT":
			answer = "+OK\r\n"
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// Limits of a command.
const (
	maxWords = 16
	maxWord  = 1 << 10
)

var errRedis = errors.New("not a command")

// readCommand reads an array of bulk strings and returns the first.
func readCommand(r *bufio.Reader) (string, error) {
	words, err := readLength(r, '*', maxWords)
	if err != nil || words == 0 {
		return "", errRedis
	}
	var command string
	for i := range words {
		length, err := readLength(r, '$', maxWord)
		if err != nil {
			return "", err
		}
		word := make([]byte, length+len("\r\n"))
		if _, err := io.ReadFull(r, word); err != nil {
			return "", err
		}
		if i == 0 {
			command = string(word[:length])
		}
	}
	return command, nil
}

func readLength(r *bufio.Reader, kind byte, most int) (int, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, errRedis
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(line[1:])))
	if err != nil || n < 0 || n > most {
		return 0, errRedis
	}
	return n, nil
}

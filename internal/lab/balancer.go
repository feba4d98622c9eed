// Package lab runs real balancers and stores for tests: nginx, HAProxy, Apache httpd,
// Caddy, Tomcat, Redis, memcached, MariaDB and PostgreSQL. They use their own loopback
// ports and write only to the test's temporary directory.
//
// A simulated balancer would only repeat its author's reading of the manual. When a
// node is ejected and readmitted, which state a reload resets, and which lines are
// logged are properties of the product, so tests measure them on the product.
//
// The lab installs and downloads nothing, except socket.io's modules from npm. A test
// whose server is missing is skipped, and fails where CI is set: see [Require]. A
// server never outlives its test, even if the test is killed: see [Process].
package lab

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"syscall"
	"text/template"
	"time"
)

//go:embed conf
var configFiles embed.FS

var configTemplates = template.Must(template.New("conf").Funcs(template.FuncMap{
	"ms":      func(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) },
	"seconds": seconds,
}).ParseFS(configFiles, "conf/*.tmpl"))

// Server is a node in a balancer's configuration.
type Server struct {
	// Name is HAProxy's server name and cookie value, and httpd's route. nginx has no
	// server names.
	Name string
	// Addr is the node's host:port.
	Addr string
	// Weight is the node's weight; 0 means the product's default, 1.
	Weight int
	// MaxFails is nginx's max_fails, and HAProxy's fall and error-limit. httpd has no
	// counter: one failed connection is enough. 0 means the default (nginx: 1); a
	// negative number writes 0, with which nginx never ejects.
	MaxFails int
	// FailTimeout is nginx's fail_timeout, HAProxy's check interval, and httpd's retry;
	// for nginx and httpd it is rounded up to whole seconds. 0 means the default (10 s,
	// 200 ms, 60 s); a negative duration writes 0, with which httpd always tries the
	// node.
	FailTimeout time.Duration
	// Down takes the node out of rotation by configuration: nginx's down, HAProxy's
	// disabled, httpd's status D.
	Down bool
	// Backup gives the node requests only when no other node is available.
	Backup bool
}

// Balancer is a running balancer of any product.
type Balancer struct {
	*Process
}

// URL returns the balancer's root for users, without a trailing slash.
func (b *Balancer) URL() string { return "http://" + b.Addr() }

// replaceWorkers sends a reload signal to a running balancer. It waits until nothing
// accepts connections at old, an address of the old configuration, and new, an address
// or a URL without scheme of the new one, answers.
func (b *Balancer) replaceWorkers(signal syscall.Signal, old, new string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.run == nil {
		return errors.New("it is not running")
	}
	if err := b.run.process.Signal(signal); err != nil {
		return err
	}
	return poll(b.tb.Context(), b.run.exited, func(ctx context.Context) error {
		if err := refuses(ctx, old); err != nil {
			return err
		}
		return answers(ctx, new)
	})
}

// writeConfig renders an embedded template to a file.
func writeConfig(path, template string, data any) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := configTemplates.ExecuteTemplate(file, template, data); err != nil {
		return fmt.Errorf("rendering %q: %w", path, err)
	}
	return file.Close()
}

// seconds rounds up, because a limit of half a second must not become 0.
func seconds(d time.Duration) int {
	return int((max(d, 0) + time.Second - 1) / time.Second)
}

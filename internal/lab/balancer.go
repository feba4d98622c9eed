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

// Server is one node behind a balancer.
type Server struct {
	// Name is HAProxy's server name and cookie value, and httpd's route.
	// nginx has no name for a server.
	Name string
	// Addr is the node's host:port.
	Addr string
	// Weight is the node's share; 0 leaves the product's default, 1.
	Weight int
	// MaxFails is nginx's max_fails, and HAProxy's fall and error-limit. httpd
	// does not count: one failed connect is enough. 0 leaves the default (nginx:
	// 1); a negative number writes 0, which nginx takes for never ejecting.
	MaxFails int
	// FailTimeout is nginx's fail_timeout, HAProxy's interval of checks, and
	// httpd's retry; nginx and httpd get it in whole seconds, rounded up. 0 leaves
	// the default (10 s, 200 ms, 60 s); a negative duration writes 0, which httpd
	// takes for trying always.
	FailTimeout time.Duration
	// Down takes the node out of rotation by configuration: nginx's down,
	// HAProxy's disabled, httpd's status D.
	Down bool
	// Backup gives the node requests only when no other is left.
	Backup bool
}

// Balancer is a running balancer of any product.
type Balancer struct {
	*Process
}

// URL is the balancer's root for its users, without a slash at the end.
func (b *Balancer) URL() string { return "http://" + b.Addr() }

// replaceWorkers signals a running balancer to reload, and waits until nothing
// accepts at old, an address of the configuration before, and something answers
// at new, an address or a URL without its scheme, which the present one has in its
// stead.
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

// writeConfig renders one of the embedded templates to a file.
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

// seconds rounds up: a limit of half a second must not become none at all.
func seconds(d time.Duration) int {
	return int((max(d, 0) + time.Second - 1) / time.Second)
}

package discovery

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"

	"stickwatch/internal/config"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// BenchmarkUpdate measures a question whose answer has not changed.
func BenchmarkUpdate(b *testing.B) {
	path := filepath.Join(b.TempDir(), "targets.json")
	must.Succeed(b, os.WriteFile(path, []byte(`[{"targets": ["127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083"]}]`), 0o600))
	hourAgo := time.Now().Add(-time.Hour)
	must.Succeed(b, os.Chtimes(path, hourAgo, hourAgo))
	list := records(b, "app.internal. 30 IN A 127.0.0.2", "app.internal. 30 IN A 127.0.0.3", "app.internal. 30 IN A 127.0.0.4")
	server := nameserver(b, func(_ dns.Question, reply *dns.Msg) { reply.Answer = list })
	for name, from := range map[string]config.NodesFrom{
		"file": {File: path, Scheme: "http"},
		"dns":  {DNS: &config.DNSName{Name: "app.internal", Type: "A", Port: 8080, Server: server}, Scheme: "http"},
	} {
		b.Run(name, func(b *testing.B) {
			d := New(from, &probes.Cluster{})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Ask(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package evidence

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseLine(t *testing.T) {
	t.Parallel()
	const (
		head  = "2026/11/20 23:44:57 [warn] 17#18: *4 "
		eject = head + "upstream server temporarily disabled while connecting to upstream"
		from  = `, client: 10.0.1.1, server: localhost, request: "GET / HTTP/1.1"`
		said  = "upstream server temporarily disabled while connecting to upstream"
	)
	at := time.Date(2026, 11, 20, 23, 44, 57, 0, time.UTC)
	nothing := line{at: at, worker: "17", low: true}
	ejection := func(server string) line {
		return line{at: at, worker: "17", low: true, event: eventEjected, server: server, said: said}
	}
	tests := []struct {
		name, text string
		want       line
	}{
		{"ejection", eject + from + `, upstream: "http://10.0.0.1:80/uri", host: "x"`, ejection("10.0.0.1:80")},
		{"https", eject + from + `, upstream: "https://10.0.0.1:443/uri", host: "x"`, ejection("10.0.0.1:443")},
		{"IPv6", eject + from + `, upstream: "http://[::1]:80/", host: "x"`, ejection("[::1]:80")},
		{"unix socket", eject + from + `, upstream: "http://unix:/run/a.sock:/uri", host: "x"`, ejection("unix:/run/a.sock")},
		{"no path", eject + from + `, upstream: "http://node1"`, ejection("node1")},
		{"query", eject + from + `, upstream: "http://node1:80?a/b"`, ejection("node1:80")},
		{
			"stream module", eject + `, client: 10.0.1.1, server: 0.0.0.0:80, upstream: "10.0.0.1:80", bytes from/to client:0/0`,
			ejection("10.0.0.1:80"),
		},
		{
			"subrequest", eject + from + `, subrequest: "/auth", upstream: "http://10.0.0.1:80/auth", host: "x"`,
			ejection("10.0.0.1:80"),
		},
		{
			"forged referrer", eject + from + `, upstream: "http://10.0.0.1:80/", host: "x", referrer: "", upstream: "http://evil/"`,
			ejection("10.0.0.1:80"),
		},
		{
			"forged path, from before nginx 1.21",
			eject + `, client: 10.0.1.1, server: x, request: "GET /", upstream: "http://evil/ HTTP/1.1", upstream: "http://10.0.0.1:80/", upstream: "http://evil/", host: "x"`,
			ejection("10.0.0.1:80"),
		},
		{"ejection without its server", eject + from, nothing},
		{"empty server", eject + from + `, upstream: "http:///uri"`, nothing},
		{"something else", head + "a client request body is buffered to a temporary file /tmp/0" + from + `, upstream: "http://10.0.0.1:80/"`, nothing},
		{"quoted by another message", head + `open() "/upstream server temporarily disabled while connecting to upstream` + from + `, upstream: "http://10.0.0.1:80/"`, nothing},
		{
			"failure", "2026/11/20 23:44:57 [error] 17#18: *4 upstream timed out (110: Connection timed out) while reading response header from upstream" + from + `, upstream: "http://10.0.0.1:80/"`,
			line{at: at, worker: "17", event: eventFailed, server: "10.0.0.1:80", said: "upstream timed out (110: Connection timed out) while reading response header from upstream"},
		},
		{
			"failure once the header was read", "2026/11/20 23:44:57 [error] 17#18: *4 upstream timed out (110: Connection timed out) while reading upstream" + from + `, upstream: "http://10.0.0.1:80/"`,
			line{at: at, worker: "17"},
		},
		{
			"nobody left", "2026/11/20 23:44:57 [error] 17#18: *4 no live upstreams while connecting to upstream" + from + `, upstream: "http://cluster/"`,
			line{at: at, worker: "17", event: eventExhausted, server: "cluster", said: "no live upstreams while connecting to upstream"},
		},
		// nginx -s reload writes this whatever error_log's level is.
		{"start", "2026/11/20 23:44:57 [notice] 17#17: signal process started", line{at: at, worker: "17"}},
		{"control characters", eject + from + ", upstream: \"http://10.0.0.1:80\x1b[31m/\"", ejection("10.0.0.1:80[31m")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, ok := parseLine(test.text, time.UTC)
			if !ok {
				t.Fatalf("parseLine(%q) is no line of nginx's", test.text)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(line{})); diff != "" {
				t.Errorf("parseLine(%q) (-want +got):\n%s", test.text, diff)
			}
		})
	}
}

func TestParseLineNotNginx(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"",
		"PHP message: something",
		"2026/13/41 23:44:57 [warn] 1#1: *1 month 13",
		" 2026/11/20 23:44:57 [warn] 1#1: *1 indented",
		"2026/11/20 23:44:57 [warn] upstream server temporarily disabled",
	} {
		if l, ok := parseLine(text, time.UTC); ok {
			t.Errorf("parseLine(%q) = %+v, want no line of nginx's", text, l)
		}
	}
}

// The zone is the writer's: the same text is another moment elsewhere.
func TestParseLineZone(t *testing.T) {
	t.Parallel()
	l, ok := parseLine("2026/11/20 23:44:57 [error] 1#1: *1 x", time.FixedZone("Shanghai", 8*60*60))
	if want := time.Date(2026, 11, 20, 15, 44, 57, 0, time.UTC); !ok || !l.at.Equal(want) {
		t.Errorf("got %v, want %v", l.at.UTC(), want)
	}
}

package evidence

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"stickwatch/probes"
)

// NginxOptions are facts about an nginx that its error log does not contain.
type NginxOptions struct {
	// FailTimeout is the duration of an ejection; 0 means nginx's default, 10 s.
	FailTimeout time.Duration
	// Zone is the time zone of the machine that writes the log, which its lines do not
	// have; nil means this machine's.
	Zone *time.Location
}

func (o NginxOptions) failTimeout() time.Duration {
	return cmp.Or(max(0, o.FailTimeout), 10*time.Second)
}

// ejectionTime returns how long an ejection lasts after its last line. nginx counts in
// whole seconds, and retries in the first one after FailTimeout.
func (o NginxOptions) ejectionTime() time.Duration { return o.failTimeout() + time.Second }

// maxLineGap returns the greatest time between two lines of one ejection. A failed
// retry ejects for another FailTimeout, and with little traffic retries come late.
func (o NginxOptions) maxLineGap() time.Duration { return 2*o.ejectionTime() + clockSlack }

// clockSlack is the greatest difference between the clocks of workers, which nginx
// caches.
const clockSlack = 2 * time.Second

func (o NginxOptions) zone() *time.Location {
	if o.Zone == nil {
		return time.Local
	}
	return o.Zone
}

// A line is the parsed form of one line of an nginx error log.
type line struct {
	at         time.Time
	worker     string // the process that wrote it
	belowError bool   // written by a request, at a level that "error_log PATH;" leaves out
	event      event
	server     string // host:port, unix:PATH, or the upstream's name if event is eventExhausted
	message    string // nginx's own text, without that of the client
}

// upstream returns the names of the server or upstream in the line.
func (l line) upstream() probes.ServerEvidence {
	if l.event == eventExhausted {
		return probes.ServerEvidence{Pool: l.server}
	}
	return probes.ServerEvidence{Server: l.server, Address: l.server}
}

type event int

const (
	eventNone event = iota
	eventFailed
	eventEjected
	eventExhausted // no server is left
)

// logLine matches time, level, process and, if a request wrote the line, the
// connection. The message follows.
var logLine = regexp.MustCompile(`^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[([a-z]+)\] (\d{1,20})#\d+: (\*\d+ )?`)

// levelsBelowError are the levels below error, which is the default of error_log. Only
// lines of a request count, because nginx starts to log before the configured level
// applies.
var levelsBelowError = []string{"warn", "notice", "info", "debug"}

// parseLine parses one line; ok is false if it is not one of nginx.
func parseLine(text string, zone *time.Location) (l line, ok bool) {
	if len(text) > maxLine {
		return line{}, false
	}
	m := logLine.FindStringSubmatch(text)
	if m == nil {
		return line{}, false
	}
	at, err := time.ParseInLocation("2006/01/02 15:04:05", m[1], zone)
	if err != nil {
		return line{}, false
	}
	l.at, l.worker, l.belowError = at, m[3], m[4] != "" && slices.Contains(levelsBelowError, m[2])
	message, fields, _ := strings.Cut(text[len(m[0]):], ", client: ")
	if event := eventOf(message); event != eventNone {
		if server := upstreamOf(fields); server != "" {
			l.event, l.server, l.message = event, server, probes.Clean(message, probes.MaxError)
		}
	}
	return l, true
}

const (
	ejected   = "upstream server temporarily disabled while "
	exhausted = "no live upstreams while connecting to upstream"
)

// failures are the beginnings of messages about a failed request to an upstream.
// Messages that quote the upstream ("upstream sent invalid header") are not included,
// because it could write the name of another server into them. "upstream sent no valid
// HTTP/1.0 header" is not included either, because nginx passes that answer on and does
// not count it.
var failures = []string{
	"connect() ", "send() failed ", "recv() failed ", "writev() failed ", "readv() failed ",
	"SSL_do_handshake() failed ", "peer closed connection in SSL handshake ", "upstream timed out ",
	"upstream prematurely closed connection ", "upstream sent too big header ",
}

// phases are the phases in which nginx counts a failure. After the header is read, it
// does not.
var phases = []string{
	"connecting to upstream", "SSL handshaking to upstream",
	"sending request to upstream", "reading response header from upstream",
}

func eventOf(message string) event {
	inPhase := slices.ContainsFunc(phases, func(phase string) bool { return strings.HasSuffix(message, " while "+phase) })
	begins := func(prefix string) bool { return strings.HasPrefix(message, prefix) }
	switch {
	case message == exhausted:
		return eventExhausted
	case !inPhase:
		return eventNone
	case begins(ejected):
		return eventEjected
	case slices.ContainsFunc(failures, begins):
		return eventFailed
	default:
		return eventNone
	}
}

// upstreamOf returns the server in: IP, server: NAME, request: "GET / HTTP/1.1",
// upstream: "http://IP:PORT/uri", host: "...", referrer: "...".
//
// The fields before and after it come from the client. A request line may contain
// quotes (before nginx 1.21 also spaces), and a referrer may contain anything. The
// right field is the first one after the end of a request line, which no client can
// write into its path.
func upstreamOf(fields string) string {
	const mark = `, upstream: "`
	first := -1
	for at := 0; ; {
		i := strings.Index(fields[at:], mark)
		if i < 0 {
			break
		}
		at += i + len(mark)
		if first < 0 {
			first = at
		}
		if endsRequest(fields[:at-len(mark)]) {
			return hostOf(fields[at:])
		}
	}
	if first < 0 {
		return ""
	}
	return hostOf(fields[first:]) // a line of a subrequest, or of the stream module
}

var requestEnd = regexp.MustCompile(`^ HTTP/\d\.\d"$`)

func endsRequest(text string) bool {
	const length = len(` HTTP/1.1"`)
	return len(text) >= length && requestEnd.MatchString(text[len(text)-length:])
}

// hostOf returns the server at the beginning of a field "http://IP:PORT/uri". The
// stream module writes no scheme, and a unix socket ends with a colon.
func hostOf(field string) string {
	field, _, _ = strings.Cut(field, `"`)
	if _, rest, ok := strings.Cut(field, "://"); ok {
		field = rest
	}
	if path, ok := strings.CutPrefix(field, "unix:"); ok {
		path, _, _ = strings.Cut(path, ":")
		return probes.Clean("unix:"+path, maxName)
	}
	if end := strings.IndexAny(field, "/? ,"); end >= 0 {
		field = field[:end]
	}
	return probes.Clean(field, maxName)
}

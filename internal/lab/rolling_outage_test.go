package lab

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/gate"
	"stickwatch/internal/must"
)

// A logged is a request in a balancer's log.
type logged struct {
	at     time.Time
	took   time.Duration
	status int
	ours   bool // of a user whose session is on tomcat1
}

// readApache parses lines such as
//
//	1773489600123456 2345 200 tomcat1 "JSESSIONID=4B2F.tomcat1"
func readApache(line string) (logged, error) {
	var r logged
	var usec, took int64
	var route string
	if _, err := fmt.Sscan(line, &usec, &took, &r.status, &route); err != nil {
		return r, err
	}
	r.at, r.took = time.UnixMicro(usec), time.Duration(took)*time.Microsecond
	r.ours = strings.Contains(line, `.tomcat1"`)
	return r, nil
}

// readHAProxy parses lines such as
//
//	127.0.0.1:4711 [14/Mar/2026:12:00:00.123] users cluster/tomcat1 0/0/0/2/2 200 731 - - --VN 1/1/0/0/0 0/0 "GET / HTTP/1.1"
func readHAProxy(line string) (logged, error) {
	fields := strings.Fields(line)
	if len(fields) < 10 || !strings.HasPrefix(fields[1], "[") {
		return logged{}, fmt.Errorf("no request: %q", line)
	}
	var r logged
	var err error
	if r.at, err = time.ParseInLocation("[02/Jan/2006:15:04:05.000]", fields[1], time.Local); err != nil {
		return r, err
	}
	timers := strings.Split(fields[4], "/")
	total, err := strconv.Atoi(strings.TrimPrefix(timers[len(timers)-1], "+"))
	if err != nil {
		return r, err
	}
	r.took = time.Duration(total) * time.Millisecond
	r.status, err = strconv.Atoi(fields[5])
	// The third flag describes the client's cookie: N is none.
	r.ours = fields[9][2] != 'N' && strings.HasSuffix(fields[3], "/tomcat1")
	return r, err
}

// readLog returns the requests of a log since a time.
func readLog(t *testing.T, path string, since time.Time, read func(string) (logged, error)) []logged {
	t.Helper()
	content, err := os.ReadFile(path)
	must.Succeed(t, err)
	var list []logged
	for line := range strings.Lines(string(content)) {
		if r, err := read(line); err == nil && r.ours && !r.at.Before(since) {
			list = append(list, r)
		}
	}
	return list
}

// longestOutage returns the bounds of the time in which users on tomcat1 got no good
// answer: from the first failed request to the last one, and from the last good answer
// before to the next one.
func longestOutage(list []logged) (least, most time.Duration) {
	var lastGood, firstBad, lastBad time.Time
	for _, r := range list {
		done := r.at.Add(r.took)
		switch {
		case r.status >= 400 && firstBad.IsZero():
			firstBad, lastBad = r.at, done
		case r.status >= 400:
			lastBad = done
		case !firstBad.IsZero():
			if d := done.Sub(lastGood); d > most {
				least, most = lastBad.Sub(firstBad), d
			}
			firstBad, lastGood = time.Time{}, done
		default:
			lastGood = done
		}
	}
	return least, most
}

// TestOutageAgreesWithTheLog: the outage of users on a restarting node is as long as in
// the balancer's own log, whatever the interval of the watch is.
func TestOutageAgreesWithTheLog(t *testing.T) {
	fronts := map[string]struct {
		start func(testing.TB, []*Tomcat) (url, log string)
		read  func(string) (logged, error)
	}{
		"apache": {func(tb testing.TB, tomcats []*Tomcat) (url, log string) {
			front := apacheNoFailover
			front.AccessLog = true
			for _, t := range tomcats {
				front.Servers = append(front.Servers, Server{Name: t.Name(), Addr: t.AJP(), FailTimeout: time.Second})
			}
			a := Apache(tb, front)
			return a.URL(), a.AccessLog()
		}, readApache},
		"haproxy": {func(tb testing.TB, tomcats []*Tomcat) (url, log string) {
			front := HAProxyConfig{Cookie: "SRV insert indirect nocache"}
			for _, t := range tomcats {
				front.Servers = append(front.Servers, Server{Name: t.Name(), Addr: t.Addr()})
			}
			h := HAProxy(tb, front)
			return h.URL(), h.Log()
		}, readHAProxy},
	}
	for name, front := range fronts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair})
			url, log := front.start(t, tomcats)
			d := watchTomcats(t, tomcats, url, gate.Limits{}, nil)
			d.until("everybody has come", func(r gate.Report) bool {
				return !slices.ContainsFunc(r.Clients, func(s gate.ClientReport) bool { return s.Requests < 5 })
			})
			tomcats[0].Stop()
			tomcats[0].Start()
			d.until("the user is served again", func(r gate.Report) bool {
				return !r.Session.IsZero() && !r.Session.Ongoing && r.Lost > 0
			})
			r := d.end()
			least, most := longestOutage(readLog(t, log, r.From, front.read))
			t.Logf("we saw %s to %s, %s saw %s to %s", r.Session.AtLeast(), r.Session.AtMost(), name, least, most)
			checkEqual(t, "for at least", r.Session.AtLeast(), least)
			checkEqual(t, "for at most", r.Session.AtMost(), most)
			if r.Session.Node != "tomcat1" {
				t.Errorf("got an outage on %q, want tomcat1", r.Session.Node)
			}
		})
	}
}

func checkEqual(t *testing.T, what string, ours, theirs time.Duration) {
	t.Helper()
	if (ours-theirs).Abs() > 50*time.Millisecond || theirs == 0 {
		t.Errorf("out %s: got %s, and %s by the balancer's log", what, ours, theirs)
	}
}

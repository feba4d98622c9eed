package demo

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"stickwatch/internal/panics"
)

//go:embed templates
var files embed.FS

var templates = template.Must(template.ParseFS(files, "templates/*.html"))

// A page is the data of the templates.
type page struct {
	sessionRequest
	Node    string
	Version string
	Charset string
	Path    string
	Host    string // Host header of the request
	Port    string
}

func (n *Node) page(r *http.Request, v sessionRequest) page {
	p := page{sessionRequest: v, Node: n.id(), Version: n.version(), Charset: "UTF-8", Path: r.URL.Path}
	var err error
	if p.Host, p.Port, err = net.SplitHostPort(r.Host); err != nil {
		p.Host, p.Port = r.Host, "80"
	}
	return p
}

// serveTest serves the generic session test page.
func (n *Node) serveTest(w http.ResponseWriter, r *http.Request) {
	n.servePage(w, r, "test.html", sessionCookie{cookie: n.config.Cookie, path: "/"})
}

// serveEBridge serves the page of Weaver e-Bridge's cluster manual, section 7, which
// names its two labels.
func (n *Node) serveEBridge(w http.ResponseWriter, r *http.Request) {
	n.servePage(w, r, "ebridge.html", sessionCookie{cookie: "JSESSIONID", path: "/"})
}

// serveTomcat serves a page of a context that Tomcat replicates. A known session with
// another node's route gets this node's route, as from Tomcat's JvmRouteBinderValve.
func (n *Node) serveTomcat(w http.ResponseWriter, r *http.Request) {
	n.servePage(w, r, "tomcat.html", sessionCookie{cookie: "JSESSIONID", path: "/cluster", suffix: "." + n.id()})
}

// serveMSM serves the usual test page of memcached-session-manager. The id contains the
// memcached node that has the session, and the Tomcat.
func (n *Node) serveMSM(w http.ResponseWriter, r *http.Request) {
	suffix := "-" + n.config.Memcached(r.Context()) + "." + n.id()
	n.servePage(w, r, "msm.html", sessionCookie{cookie: "JSESSIONID", path: "/", suffix: suffix})
}

// servePlain serves a page without a session.
func (n *Node) servePlain(w http.ResponseWriter, r *http.Request) {
	n.render(w, "plain.html", n.page(r, sessionRequest{}))
}

// servePage serves a page with the client's session.
func (n *Node) servePage(w http.ResponseWriter, r *http.Request, name string, k sessionCookie) {
	w.Header().Set("Cache-Control", "no-store")
	if n.refuse(w, r, k) {
		return
	}
	v, err := n.openSession(w, r, k)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	p := n.page(r, v)
	if n.config.GBK && name == "ebridge.html" {
		p.Charset = "GBK"
	}
	n.render(w, name, p)
}

func (n *Node) render(w http.ResponseWriter, name string, p page) {
	var buf bytes.Buffer
	if err := templates.ExecuteTemplate(&buf, name, p); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	body := buf.Bytes()
	if p.Charset == "GBK" {
		body = encodeGBK(body)
	}
	w.Header().Set("Content-Type", "text/html; charset="+p.Charset)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// status is the body of Strategy Collaboration Server's /status, as its clustering
// guide prints it.
type status struct {
	Version   string       `json:"version"`
	EnableTLS bool         `json:"enableTls"`
	Scaling   string       `json:"scaling"`
	Logging   bool         `json:"logging"`
	State     string       `json:"state"`
	Reason    string       `json:"reason,omitempty"`
	Main      statusOfMain `json:"main"`
}

type statusOfMain struct {
	CPU         statusGauge    `json:"cpu"`
	Memory      statusGauge    `json:"memory"`
	Connections statusCounts   `json:"connections"`
	Messages    statusMessages `json:"messages"`
	RESTCalls   statusRESTCall `json:"restCalls"`
	UpSince     string         `json:"up_since"`
	PID         int64          `json:"pid"`
}

type statusGauge struct {
	Current uint64 `json:"current"`
	Max     uint64 `json:"max"`
}

type statusCounts struct {
	Total   int64 `json:"total"`
	Current int   `json:"current"`
	Max     int   `json:"max"`
}

type statusMessages struct {
	Processed int64 `json:"processed"`
}

type statusRESTCall struct {
	Received int64 `json:"received"`
}

// upSinceLayout is the documented format: without padding except for the time, and
// without a zone. The nodes use UTC.
const upSinceLayout = "2006-1-2 15:04:05"

// pausedBy is the beginning of the documented reason of a server without its
// dependencies.
const pausedBy = "The following dependent services are unavailable: "

// dependencyTimeout limits how long /status waits for one dependency.
const dependencyTimeout = 2 * time.Second

// serveStatus answers 200 in any state: no other status is documented.
func (n *Node) serveStatus(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(n.status(r.Context()))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(body)
}

func (n *Node) status(ctx context.Context) status {
	faults, process := n.Faults(), n.process.Load()
	s := status{
		Version: n.version(),
		Scaling: "horizontal",
		Logging: true,
		State:   "running",
		Reason:  faults.Paused,
		Main: statusOfMain{
			Memory:      memory(),
			Connections: process.sockets.counts(),
			Messages:    statusMessages{process.sockets.messages.Load()},
			RESTCalls:   statusRESTCall{process.requests.Load()},
			UpSince:     process.since.UTC().Format(upSinceLayout),
			PID:         process.pid,
		},
	}
	if faults.Scaling != "" {
		s.Scaling = faults.Scaling
	}
	if down := n.unavailable(ctx); s.Reason == "" && len(down) > 0 {
		s.Reason = pausedBy + strings.Join(down, ", ")
	}
	if s.Reason != "" {
		s.State = "paused"
		if faults.ReasonCounts {
			s.Reason += fmt.Sprintf(" (answer %d)", process.requests.Load())
		}
	}
	return s
}

// unavailable checks all dependencies concurrently and returns the names of those that
// fail, sorted.
func (n *Node) unavailable(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, dependencyTimeout)
	defer cancel()
	var (
		wg   panics.Group
		mu   sync.Mutex
		down []string
	)
	for name, check := range n.config.Dependencies {
		wg.Go(func() {
			if check(ctx) != nil {
				mu.Lock()
				defer mu.Unlock()
				down = append(down, name)
			}
		})
	}
	wg.Wait()
	slices.Sort(down)
	return down
}

// memory returns the memory of the process of all nodes, in bytes.
func memory() statusGauge {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
	}
	metrics.Read(samples)
	return statusGauge{Current: samples[0].Value.Uint64(), Max: samples[1].Value.Uint64()}
}

// encodeGBK encodes the e-Bridge page in GBK, as old installations do. The page is part
// of this package, so its characters are known; any other character becomes a question
// mark.
func encodeGBK(utf8 []byte) []byte {
	var out strings.Builder
	for _, r := range string(utf8) {
		switch code, ok := gbk[r]; {
		case r < 0x80:
			out.WriteByte(byte(r))
		case ok:
			out.WriteString(code)
		default:
			out.WriteByte('?')
		}
	}
	return []byte(out.String())
}

// gbk contains the characters of templates/ebridge.html.
var gbk = map[rune]string{
	'“': "\xa1\xb0", '”': "\xa1\xb1", '。': "\xa1\xa3", '会': "\xbb\xe1", '则': "\xd4\xf2", '刷': "\xcb\xa2",
	'前': "\xc7\xb0", '化': "\xbb\xaf", '发': "\xb7\xa2", '变': "\xb1\xe4", '和': "\xba\xcd", '固': "\xb9\xcc",
	'如': "\xc8\xe7", '定': "\xb6\xa8", '当': "\xb5\xb1", '新': "\xd0\xc2", '是': "\xca\xc7", '未': "\xce\xb4",
	'果': "\xb9\xfb", '测': "\xb2\xe2", '点': "\xb5\xe3", '生': "\xc9\xfa", '的': "\xb5\xc4", '示': "\xca\xbe",
	'群': "\xc8\xba", '节': "\xbd\xda", '表': "\xb1\xed", '试': "\xca\xd4", '话': "\xbb\xb0", '集': "\xbc\xaf",
	'面': "\xc3\xe6", '页': "\xd2\xb3", '（': "\xa3\xa8", '）': "\xa3\xa9", '，': "\xa3\xac", '：': "\xa3\xba",
}

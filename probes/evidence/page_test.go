package evidence

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// A reader is a reader of this package with default options.
type reader func(context.Context, *url.URL) probes.EvidenceObservation

func haproxy(ctx context.Context, u *url.URL) probes.EvidenceObservation {
	return HAProxyStats(ctx, nil, u, "")
}

func apacheStatus(ctx context.Context, u *url.URL) probes.EvidenceObservation {
	return ApacheStatus(ctx, nil, u)
}

func manager(ctx context.Context, u *url.URL) probes.EvidenceObservation {
	return ApacheBalancerManager(ctx, nil, u)
}

func caddy(ctx context.Context, u *url.URL) probes.EvidenceObservation {
	return CaddyAdmin(ctx, nil, u)
}

var readers = map[string]reader{"haproxy": haproxy, "status": apacheStatus, "manager": manager, "caddy": caddy}

// recordings are the answers of real servers.
var recordings = map[string]string{
	"haproxy": "haproxy.csv", "status": "apache_status.txt", "manager": "apache_manager.xml", "caddy": "caddy_upstreams.json",
}

func testdata(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	must.Succeed(tb, err)
	return text
}

// serve answers every request in the same way.
func serve(t *testing.T, handler http.HandlerFunc) *url.URL {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return must.URL(server.URL)
}

func answer(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write(body) }
}

// TestRequests: readers send GET requests for the machine-readable form, whether or not
// the URL asks for it.
func TestRequests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		reader    string
		url, want string
		referer   string
	}{
		{"haproxy", "", "/;csv", ""},
		{"haproxy", "/;csv", "/;csv", ""},
		{"haproxy", "/haproxy?stats", "/haproxy?stats;csv", ""},
		{"haproxy", "/haproxy?stats;csv;norefresh", "/haproxy?stats;csv;norefresh", ""},
		{"status", "/server-status", "/server-status?auto", ""},
		{"status", "/server-status?auto", "/server-status?auto", ""},
		{"manager", "/balancer-manager", "/balancer-manager?xml=1", "/"},
		{"manager", "/balancer-manager?b=cluster&w=x&w_status_D=1&nonce=1234", "/balancer-manager?xml=1", "/"},
		{"caddy", "", "/reverse_proxy/upstreams", ""},
		{"caddy", "/admin/", "/admin/reverse_proxy/upstreams", ""},
		{"caddy", "/reverse_proxy/upstreams", "/reverse_proxy/upstreams", ""},
	}
	for _, test := range tests {
		t.Run(test.reader+test.url, func(t *testing.T) {
			t.Parallel()
			type request struct{ method, uri, referer, user, password string }
			var got request
			u := serve(t, func(w http.ResponseWriter, r *http.Request) {
				user, password, _ := r.BasicAuth()
				got = request{r.Method, r.RequestURI, r.Referer(), user, password}
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
			})
			root := u.String()
			u = must.URL(root + test.url)
			u.User = url.UserPassword("admin", "hunter2")
			obs := readers[test.reader](t.Context(), u)
			want := request{http.MethodGet, test.want, "", "admin", "hunter2"}
			if test.referer != "" {
				want.referer = root + test.referer
			}
			expect.Equal(t, "request", want, got, cmp.AllowUnexported(request{}))
			if want := "got HTTP status 302, want 200"; obs.Error != want {
				t.Errorf("Error = %q, want %q", obs.Error, want)
			}
			for _, secret := range []string{"hunter2", "admin:", "nonce"} {
				if strings.Contains(fmt.Sprint(obs), secret) {
					t.Errorf("the observation shows %q: %+v", secret, obs)
				}
			}
		})
	}
}

// TestRepeatedPassword: a page that repeats the password of its URL does not reveal it.
func TestRepeatedPassword(t *testing.T) {
	t.Parallel()
	const header = "# pxname,svname,status,addr,check_status,last_chk\n"
	for _, test := range []struct{ password, row, detail, server string }{
		{"correct horse", "shop,node1,DOWN,10.0.0.1:80,L7STS,got Basic YWRtaW46Y29ycmVjdCBob3JzZQ==", "DOWN, L7STS, got Basic ***==", "node1"},
		{"correct horse", "shop,correct horse,UP,,,", "UP", "***"},
		{"node", "shop,node1,UP,,,", "UP", "node1"},
	} {
		u := serve(t, answer([]byte(header+test.row+"\n")))
		u.User = url.UserPassword("admin", test.password)
		obs := haproxy(t.Context(), u)
		if len(obs.Servers) != 1 || obs.Servers[0].Detail != test.detail || obs.Servers[0].Server != test.server {
			t.Errorf("%q: got %+v, want server %q with detail %q", test.row, obs, test.server, test.detail)
		}
	}
}

func TestBadAnswers(t *testing.T) {
	t.Parallel()
	large := []byte(strings.Repeat("x", maxPage+1))
	many := []byte("[" + strings.Repeat(`{"address":"a:1"},`, maxServers) + `{"address":"a:1"}]`)
	tests := []struct {
		name, reader string
		body         []byte
		err, silent  string
	}{
		{"large", "haproxy", large, "longer than", ""},
		{"HTML", "haproxy", []byte("<html>"), "not HAProxy's CSV", ""},
		{"another CSV", "haproxy", []byte("# a,b\n1,2\n"), "not HAProxy's CSV", ""},
		{"no servers", "haproxy", []byte("# pxname,svname,status\nusers,FRONTEND,OPEN\n"), "", "names no server"},
		{"HTML", "status", []byte("<html>"), "not that of mod_status", ""},
		{"ProxyStatus Off", "status", []byte("127.0.0.1\nServerUptimeSeconds: 1\nScoreboard: _\n"), "", "ProxyStatus On"},
		{"page for people", "manager", testdata(t, "apache_manager.html"), "HTML page", ""},
		{"something else", "manager", []byte("<a/>"), "not that of the balancer manager", ""},
		{"cut", "manager", testdata(t, "apache_manager.xml")[:900], "not that of the balancer manager", ""},
		{"HTML", "caddy", []byte("<html>"), "not Caddy's list", ""},
		{"an object", "caddy", []byte("{}"), "not Caddy's list", ""},
		{"none", "caddy", []byte("[]"), "", "names no upstream"},
		{"many", "caddy", many, "", "first 1000"},
	}
	for _, test := range tests {
		t.Run(test.reader+" "+test.name, func(t *testing.T) {
			t.Parallel()
			obs := readers[test.reader](t.Context(), serve(t, answer(test.body)))
			if !strings.Contains(obs.Error, test.err) || (obs.Error != "") != (test.err != "") {
				t.Errorf("Error = %q, want %q", obs.Error, test.err)
			}
			if !strings.Contains(obs.NoAbsence, test.silent) || (obs.NoAbsence != "") != (test.silent != "") {
				t.Errorf("Silent = %q, want %q", obs.NoAbsence, test.silent)
			}
			if len(obs.Servers) > maxServers {
				t.Errorf("%d servers are kept, want at most %d", len(obs.Servers), maxServers)
			}
		})
	}
}

// TestEndlessGzip: a page of endless empty gzip members costs no reader more than a few of
// them.
func TestEndlessGzip(t *testing.T) {
	t.Parallel()
	var empty bytes.Buffer
	gzip.NewWriter(&empty).Close()
	for name, read := range readers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			obs := read(t.Context(), serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				for {
					if _, err := w.Write(empty.Bytes()); err != nil {
						return
					}
				}
			}))
			if !strings.Contains(obs.Error, "too many parts") {
				t.Errorf("got error %q", obs.Error)
			}
		})
	}
}

// TestNonceIsHidden uses the nonce of the recording, with which the balancer could be
// changed.
func TestNonceIsHidden(t *testing.T) {
	t.Parallel()
	const nonce = "f2b171f3-ba8c-8ba5-092c-0fee3a0514ff"
	whole := testdata(t, "apache_manager.xml")
	if !strings.Contains(string(whole), nonce) {
		t.Fatal("the recording has another nonce")
	}
	for cut := 100; cut < len(whole); cut += 50 {
		obs := ApacheBalancerManager(t.Context(), nil, serve(t, answer(whole[:cut])))
		if strings.Contains(fmt.Sprintf("%+v", obs), nonce) {
			t.Fatalf("cut to %d bytes, the observation shows the nonce: %+v", cut, obs)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	hanging := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	})
	t.Cleanup(func() { close(stop) })
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	gone := must.URL(closed.URL)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for name, read := range readers {
		if obs := read(ctx, hanging); obs.Error != "no answer in time" {
			t.Errorf("%s: Error = %q of a server that hangs", name, obs.Error)
		}
		if obs := read(t.Context(), gone); !strings.Contains(obs.Error, "connection refused") {
			t.Errorf("%s: Error = %q of a server that is not there", name, obs.Error)
		}
	}
}

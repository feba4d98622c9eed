package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// tomcatHome is the directory of Debian's package tomcat10.
	tomcatHome = "/usr/share/tomcat10"
	// tomcatOptions keep virtual machines small, quick to start, and out of the
	// system's temporary directory.
	tomcatOptions = "-Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData"
	// testPage shows its session and stores key1 and key2 in it.
	testPage = "/cluster/index.jsp"
)

// TomcatConfig describes Tomcats with one application. Its page /cluster/index.jsp
// shows the server, the session id, and the values that a form, or ?key1=, has stored.
type TomcatConfig struct {
	// Nodes are the servers' names, and their jvmRoutes where Routes is nil.
	Nodes []string
	// Routes are the jvmRoutes of Nodes; "" leaves a node without one.
	Routes []string
	// Replicate copies every session to all nodes (DeltaManager). Members are
	// configured by address, because loopback has no multicast.
	Replicate bool
	// Unserialisable makes the page store values that cannot be copied, which a
	// replicating manager rejects.
	Unserialisable bool
	// Async answers without waiting for the copies (channelSendOptions 8, Tomcat's
	// default, instead of 6).
	Async bool
	// Pages are further files of the application, by name.
	Pages map[string]string
	// Requests is the folder of the file requests, with a line for each request, METHOD
	// URI. With it the users of Pages["WEB-INF/users.xml"] may log in. "": nobody may.
	Requests string
}

// Tomcat is a running Apache Tomcat 10. Its Addr is the HTTP port.
type Tomcat struct {
	*Process
	name string
	ajp  string
}

// Tomcats starts one Tomcat per node and returns when each answers and, with Replicate,
// has the sessions of the others. They start one after the other: two that start
// concurrently request all sessions from each other before either listens, and wait a
// minute.
func Tomcats(tb testing.TB, config TomcatConfig) []*Tomcat {
	tb.Helper()
	Require(tb, "java", filepath.Join(tomcatHome, "bin", "catalina.sh"))
	members := tomcatMembers(tb, config)
	tomcats := make([]*Tomcat, len(members))
	for i := range members {
		tomcats[i] = newTomcat(tb, config, members, i)
		tomcats[i].Start()
	}
	if config.Replicate && !config.Unserialisable {
		awaitReplication(tb, tomcats)
	}
	return tomcats
}

// Name returns the node's name, whatever its jvmRoute is.
func (t *Tomcat) Name() string { return t.name }

// URL returns the server's root for direct requests, without a trailing slash.
func (t *Tomcat) URL() string { return "http://" + t.Addr() }

// AJP returns the host:port of the connector for a balancer.
func (t *Tomcat) AJP() string { return t.ajp }

// An endpoint is an address in Tomcat's configuration.
type endpoint struct{ Host, Port string }

func (e endpoint) String() string { return net.JoinHostPort(e.Host, e.Port) }

func freeEndpoint(tb testing.TB) endpoint {
	tb.Helper()
	host, port, err := net.SplitHostPort(FreeAddr(tb))
	if err != nil {
		tb.Fatalf("splitting a free address: %v", err)
	}
	return endpoint{host, port}
}

// A member is a node in the configuration of the others.
type member struct {
	Name, Route        string
	ID                 string // 16 bytes, unique in the group
	HTTP, AJP, Channel endpoint
}

func tomcatMembers(tb testing.TB, config TomcatConfig) []member {
	tb.Helper()
	routes := config.Routes
	if routes == nil {
		routes = config.Nodes
	}
	if len(routes) != len(config.Nodes) {
		tb.Fatalf("%d routes for %d Tomcats", len(routes), len(config.Nodes))
	}
	members := make([]member, len(config.Nodes))
	for i, name := range config.Nodes {
		members[i] = member{
			Name: name, Route: routes[i], ID: fmt.Sprintf("{%s%d}", strings.Repeat("0,", 15), i+1),
			HTTP: freeEndpoint(tb), AJP: freeEndpoint(tb), Channel: freeEndpoint(tb),
		}
	}
	return members
}

// newTomcat writes the i-th member's directory and prepares its process.
func newTomcat(tb testing.TB, config TomcatConfig, members []member, i int) *Tomcat {
	tb.Helper()
	self, dir := members[i], directory(tb)
	file := filepath.Join(logDir(dir), "server.conf")
	data := struct {
		TomcatConfig
		member
		App    string
		Others []member
	}{config, self, filepath.Join(dir, "app"), append(members[:i:i], members[i+1:]...)}
	if err := writeTomcat(dir, file, data); err != nil {
		tb.Fatalf("configuring %q: %v", self.Name, err)
	}
	for name, page := range config.Pages {
		if err := os.WriteFile(filepath.Join(data.App, name), []byte(page), 0o600); err != nil {
			tb.Fatalf("configuring %q: %v", self.Name, err)
		}
	}
	tomcat := &Tomcat{name: self.Name, ajp: self.AJP.String()}
	tomcat.Process = newProcess(tb, Command{
		Name: self.Name,
		Path: filepath.Join(tomcatHome, "bin", "catalina.sh"),
		Args: []string{"run", "-config", file},
		Env: []string{
			"CATALINA_HOME=" + tomcatHome, "CATALINA_BASE=" + dir, "CATALINA_TMPDIR=" + filepath.Join(dir, "temp"),
			"CATALINA_OPTS=" + tomcatOptions, "CATALINA_PID=", "JAVA_OPTS=", "NODE_ID=" + self.Name,
		},
		Dir:  dir,
		Addr: self.HTTP.String(),
		// The first request compiles the page.
		Ready: func(ctx context.Context) error {
			_, _, err := askTestPage(ctx, tomcat.URL()+testPage, "")
			return err
		},
	})
	return tomcat
}

// writeTomcat creates a CATALINA_BASE. Tomcat has defaults for other files.
func writeTomcat(dir, file string, server any) error {
	info := filepath.Join(dir, "app", "WEB-INF")
	for _, path := range []string{info, filepath.Join(dir, "temp"), filepath.Join(dir, "work"), filepath.Join(dir, "conf")} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
	}
	return errors.Join(
		writeConfig(file, "tomcat-server.xml.tmpl", server),
		writeConfig(filepath.Join(info, "web.xml"), "tomcat-web.xml.tmpl", nil),
		writeConfig(filepath.Join(dir, "app", "index.jsp"), "tomcat-index.jsp.tmpl", server),
	)
}

// awaitReplication waits until every Tomcat has a new session of every other: a Tomcat
// joins the group a moment after its start.
func awaitReplication(tb testing.TB, tomcats []*Tomcat) {
	tb.Helper()
	for _, from := range tomcats {
		for _, to := range tomcats {
			if from == to {
				continue
			}
			err := poll(tb.Context(), nil, func(ctx context.Context) error { return replicates(ctx, from, to) })
			if err != nil {
				tb.Fatalf("replicating from %q to %q: %v\n%s", from.name, to.name, err, tail(to.LogDir()))
			}
		}
	}
}

func replicates(ctx context.Context, from, to *Tomcat) error {
	_, session, err := askTestPage(ctx, from.URL()+testPage+"?key1=copied", "")
	if err != nil {
		return err
	}
	body, _, err := askTestPage(ctx, to.URL()+testPage, session)
	if err == nil && !strings.Contains(body, "key1=copied") {
		return errors.New("the session is not known there")
	}
	return err
}

// askTestPage presents a session cookie, or none, and returns the page and the client's
// cookie after the answer.
func askTestPage(ctx context.Context, url, session string) (body, now string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", "", err
	}
	request.Close = true
	if session != "" {
		request.AddCookie(&http.Cookie{Name: "JSESSIONID", Value: session})
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", "", err
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("got %s from %q, want 200", response.Status, url)
	}
	for _, cookie := range response.Cookies() {
		if cookie.Name == "JSESSIONID" {
			session = cookie.Value
		}
	}
	return string(page), session, err
}

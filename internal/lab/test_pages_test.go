package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// testPages is the page with the test pages that operators paste.
const testPages = "../docs/test-pages.md"

// pastedPage returns the code that testPages has in a language.
func pastedPage(tb testing.TB, language string) string {
	tb.Helper()
	text, err := os.ReadFile(testPages)
	must.Succeed(tb, err)
	_, rest, found := strings.Cut(string(text), "\n```"+language+"\n")
	code, _, ended := strings.Cut(rest, "\n```\n")
	if !found || !ended {
		tb.Fatalf("%s has no page in %s", testPages, language)
	}
	return code + "\n"
}

// A pastedServer runs the test page of a language as an application with nothing else.
type pastedServer struct {
	profile string // whose session page is the test page
	start   func(tb testing.TB, node, sessions string) *Process
}

// The sessions of these servers are in the folder, so nodes with one folder share them.
// Those of Express are in memory, and those of Rails in cookies that are encrypted with
// the name of the folder.
var pastedServers = []pastedServer{
	{"php", func(tb testing.TB, node, sessions string) *Process {
		dir, addr := directory(tb), FreeAddr(tb)
		write(tb, filepath.Join(dir, "stickwatch-test.php"), pastedPage(tb, "php"))
		return Run(tb, Command{
			Name: "php-" + node, Path: program(tb, "php"), Dir: dir, Addr: addr,
			Args: []string{"-d", "session.save_path=" + sessions, "-S", addr, "-t", dir}, Env: []string{"NODE_ID=" + node},
		})
	}},
	{"express", func(tb testing.TB, node, _ string) *Process {
		modules, dir, addr := nodeModules(tb, "express", "express"), directory(tb), FreeAddr(tb)
		script := filepath.Join(dir, "app.js")
		host, port, _ := strings.Cut(addr, ":")
		write(tb, script, "const app = require('express')();\n"+
			"app.use(require('express-session')({secret: 'of the laboratory', resave: false, saveUninitialized: false}));\n"+
			pastedPage(tb, "js")+fmt.Sprintf("app.listen(%s, %q);\n", port, host))
		return Run(tb, Command{
			Name: "express-" + node, Path: program(tb, "node"), Args: []string{script}, Dir: dir, Addr: addr,
			Env: []string{"NODE_PATH=" + filepath.Join(modules, "node_modules"), "NODE_ID=" + node},
		})
	}},
	{"django", func(tb testing.TB, node, sessions string) *Process {
		Require(tb, "django-admin") // Debian's, which belongs to /usr/bin/python3
		dir, addr := directory(tb), FreeAddr(tb)
		write(tb, filepath.Join(dir, "app.py"), "import django.conf\nfrom django.urls import path\n"+
			"django.conf.settings.configure(SECRET_KEY='of the laboratory', ROOT_URLCONF=__name__, ALLOWED_HOSTS=['*'],\n"+
			"    MIDDLEWARE=['django.contrib.sessions.middleware.SessionMiddleware'],\n"+
			fmt.Sprintf("    SESSION_ENGINE='django.contrib.sessions.backends.file', SESSION_FILE_PATH=%q)\n", sessions)+
			pastedPage(tb, "python")+"urlpatterns = [path('stickwatch-test', stickwatch_test)]\n"+
			"if __name__ == '__main__':\n    import django.core.management as m\n"+
			fmt.Sprintf("    m.execute_from_command_line(['app.py', 'runserver', '--noreload', %q])\n", addr))
		return Run(tb, Command{
			Name: "django-" + node, Path: "/usr/bin/python3", Args: []string{filepath.Join(dir, "app.py")}, Dir: dir, Addr: addr,
			Env: []string{"NODE_ID=" + node},
		})
	}},
	{"rails", func(tb testing.TB, node, sessions string) *Process {
		requireRails(tb)
		dir, addr := directory(tb), FreeAddr(tb)
		host, port, _ := strings.Cut(addr, ":")
		write(tb, filepath.Join(dir, "app.rb"), "require 'action_controller/railtie'\nrequire 'rack/handler/webrick'\n"+
			"class Shop < Rails::Application\n"+
			fmt.Sprintf("  config.secret_key_base = %q\n", strings.Repeat(sessions, 1+64/len(sessions)))+
			"  config.session_store :cookie_store, key: '_shop_session'\n"+
			"  config.eager_load = false\n  config.hosts.clear\n  config.logger = Logger.new($stderr)\n"+
			"  routes.append { get 'stickwatch-test', to: 'stickwatch_test#show' }\nend\n"+
			pastedPage(tb, "ruby")+"Shop.initialize!\n"+
			fmt.Sprintf("Rack::Handler::WEBrick.run(Shop, Host: %q, Port: %s)\n", host, port))
		return Run(tb, Command{
			Name: "rails-" + node, Path: "/usr/bin/ruby", Args: []string{filepath.Join(dir, "app.rb")}, Dir: dir, Addr: addr,
			Env: []string{"NODE_ID=" + node},
		})
	}},
}

// requireRails skips the test without Debian's Rails.
func requireRails(tb testing.TB) {
	tb.Helper()
	Require(tb, "ruby")
	if files, _ := filepath.Glob("/usr/share/rubygems-integration/all/specifications/railties-*.gemspec"); len(files) == 0 {
		missing(tb, "ruby-railties")
	}
}

func write(tb testing.TB, file, text string) {
	tb.Helper()
	must.Succeed(tb, os.WriteFile(file, []byte(text), 0o600))
}

// pastedCluster configures a cluster with a profile and nothing but addresses. path
// replaces that of the profile; "": it does not.
func pastedCluster(tb testing.TB, profile, path string, nodes []*Process, front appFront) *app {
	tb.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "clusters:\n  - name: shop\n    profile: %s\n    balancer: {url: %q, method: %s", profile, front.start(tb, processServers(nodes)), front.method)
	if front.header {
		fmt.Fprintf(&b, ", client_ip_header: %s", clientHeader)
	}
	b.WriteString("}\n    nodes:\n")
	for i, n := range nodes {
		fmt.Fprintf(&b, "      - {id: %s, url: \"http://%s\"}\n", names[i], n.Addr())
	}
	if path != "" {
		fmt.Fprintf(&b, "    session: {path: %s}\n", path)
	}
	cfg, err := config.Parse("stickwatch.yml", []byte(b.String()), os.LookupEnv)
	if err != nil {
		tb.Fatalf("%v\n%s", err, b.String())
	}
	return &app{tb: tb, nodes: nodes, cluster: cfg.Clusters[0]}
}

// TestPastedPages runs the test page of each stack with its profile. Where sessions stay in
// the node, a balancer that keeps clients is healthy, and the loss behind one that does not
// is found. Where nodes share sessions, any balancer is healthy, and nodes that do not
// share them are found.
func TestPastedPages(t *testing.T) {
	t.Parallel()
	for _, s := range pastedServers {
		t.Run(s.profile, func(t *testing.T) {
			t.Parallel()
			pair := func(first, second string) []*Process {
				return []*Process{s.start(t, names[0], first), s.start(t, names[1], second)}
			}
			one, other := t.TempDir(), t.TempDir()
			if profile, _ := config.ProfileNamed(s.profile); profile.Policy() == probes.PolicyShared {
				shared := pastedCluster(t, s.profile, "", pair(one, one), appRoundRobin).probe()
				judgeScenario(t, scenario{is: checks.Healthy}, shared)
				if shared.Session.Shared != checks.Yes {
					t.Errorf("sessions are shared: %s", shared.Session.Shared)
				}
				apart := pastedCluster(t, s.profile, "", pair(one, other), appRoundRobin).probe()
				judgeScenario(t, scenario{apart: true, want: []string{"session_not_shared"}, also: []checks.Code{checks.SessionLost}}, apart)
				return
			}
			judgeSticky(t, s.profile, "", pair(one, other))
		})
	}
	t.Run("tomcat-sticky", func(t *testing.T) {
		t.Parallel()
		tomcats := Tomcats(t, TomcatConfig{Nodes: names[:2], Pages: map[string]string{"stickwatch-test.jsp": pastedPage(t, "jsp")}})
		judgeSticky(t, "tomcat-sticky", "/cluster/stickwatch-test.jsp", []*Process{tomcats[0].Process, tomcats[1].Process})
	})
}

func judgeSticky(t *testing.T, profile, path string, nodes []*Process) {
	t.Helper()
	kept := pastedCluster(t, profile, path, nodes, appIPHash).probe()
	judgeScenario(t, scenario{is: checks.Healthy}, kept)
	if kept.Session.Sticky != checks.Yes {
		t.Errorf("sessions stick: %s", kept.Session.Sticky)
	}
	judgeScenario(t, scenario{cause: cause{code: checks.SessionDrift}}, pastedCluster(t, profile, path, nodes, appRoundRobin).probe())
}

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/config"
)

// testPages is the page with the test pages that operators paste.
const testPages = "../docs/test-pages.md"

// pastedPage returns the code that testPages has in a language.
func pastedPage(tb testing.TB, language string) string {
	tb.Helper()
	text, err := os.ReadFile(testPages)
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n```"+language+"\n")
	code, _, ended := strings.Cut(rest, "\n```\n")
	if !found || !ended {
		tb.Fatalf("%s has no page in %s", testPages, language)
	}
	return code + "\n"
}

// A pastedServer runs the test page of a language as an application with nothing else.
type pastedServer struct {
	language string
	path     string
	start    func(tb testing.TB, node string) *Process
}

var pastedServers = []pastedServer{
	{"php", "/stickwatch-test.php", func(tb testing.TB, node string) *Process {
		dir, addr := directory(tb), FreeAddr(tb)
		write(tb, filepath.Join(dir, "stickwatch-test.php"), pastedPage(tb, "php"))
		return Run(tb, Command{
			Name: "php-" + node, Path: program(tb, "php"), Dir: dir, Addr: addr,
			Args: []string{"-d", "session.save_path=" + dir, "-S", addr, "-t", dir}, Env: []string{"NODE_ID=" + node},
		})
	}},
	{"js", "/stickwatch-test", func(tb testing.TB, node string) *Process {
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
	{"python", "/stickwatch-test", func(tb testing.TB, node string) *Process {
		Require(tb, "django-admin") // Debian's, which belongs to /usr/bin/python3
		dir, addr := directory(tb), FreeAddr(tb)
		write(tb, filepath.Join(dir, "app.py"), "import django.conf\nfrom django.urls import path\n"+
			"django.conf.settings.configure(SECRET_KEY='of the laboratory', ROOT_URLCONF=__name__, ALLOWED_HOSTS=['*'],\n"+
			"    MIDDLEWARE=['django.contrib.sessions.middleware.SessionMiddleware'],\n"+
			fmt.Sprintf("    SESSION_ENGINE='django.contrib.sessions.backends.file', SESSION_FILE_PATH=%q)\n", dir)+
			pastedPage(tb, "python")+"urlpatterns = [path('stickwatch-test', stickwatch_test)]\n"+
			"if __name__ == '__main__':\n    import django.core.management as m\n"+
			fmt.Sprintf("    m.execute_from_command_line(['app.py', 'runserver', '--noreload', %q])\n", addr))
		return Run(tb, Command{
			Name: "django-" + node, Path: "/usr/bin/python3", Args: []string{filepath.Join(dir, "app.py")}, Dir: dir, Addr: addr,
			Env: []string{"NODE_ID=" + node},
		})
	}},
}

func write(tb testing.TB, file, text string) {
	tb.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// pastedCluster configures a cluster with the lines of testPages.
func pastedCluster(tb testing.TB, path string, nodes []*Process, front appFront) *app {
	tb.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "clusters:\n  - name: shop\n    balancer: {url: %q, method: %s", front.start(tb, processServers(nodes)), front.method)
	if front.header {
		fmt.Fprintf(&b, ", client_ip_header: %s", clientHeader)
	}
	b.WriteString("}\n    nodes:\n")
	for i, n := range nodes {
		fmt.Fprintf(&b, "      - {id: %s, url: \"http://%s\"}\n", names[i], n.Addr())
	}
	lines := pastedPage(tb, "yaml")
	b.WriteString(strings.Replace(lines, "path: /stickwatch-test ", "path: "+path+" ", 1))
	cfg, err := config.Parse("stickwatch.yml", []byte(b.String()), os.LookupEnv)
	if err != nil {
		tb.Fatalf("%v\n%s", err, b.String())
	}
	return &app{tb: tb, nodes: nodes, cluster: cfg.Clusters[0]}
}

// TestPastedPages: behind a balancer that keeps clients each page is healthy, with the counter
// read back; behind one that does not, the loss of its sessions is found.
func TestPastedPages(t *testing.T) {
	t.Parallel()
	for _, s := range pastedServers {
		t.Run(s.language, func(t *testing.T) {
			t.Parallel()
			judgePasted(t, s.path, []*Process{s.start(t, names[0]), s.start(t, names[1])})
		})
	}
	t.Run("jsp", func(t *testing.T) {
		t.Parallel()
		tomcats := Tomcats(t, TomcatConfig{Nodes: names[:2], Pages: map[string]string{"stickwatch-test.jsp": pastedPage(t, "jsp")}})
		judgePasted(t, "/cluster/stickwatch-test.jsp", []*Process{tomcats[0].Process, tomcats[1].Process})
	})
}

func judgePasted(t *testing.T, path string, nodes []*Process) {
	t.Helper()
	kept := pastedCluster(t, path, nodes, appIPHash).probe()
	judgeScenario(t, scenario{is: checks.Healthy}, kept)
	if kept.Session.Sticky != checks.Yes {
		t.Errorf("sessions stick: %s", kept.Session.Sticky)
	}
	judgeScenario(t, scenario{cause: cause{code: checks.SessionDrift}}, pastedCluster(t, path, nodes, appRoundRobin).probe())
}

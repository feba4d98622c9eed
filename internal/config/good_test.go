package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// compare compares Configs without extractors and TLS settings, which have their own
// tests.
var compare = cmp.Options{
	cmpopts.IgnoreUnexported(Config{}),
	cmpopts.IgnoreInterfaces(struct{ probes.Extractor }{}),
	cmpopts.IgnoreFields(probes.Cluster{}, "TLS", "Limiter"),
	cmp.Comparer(func(a, b *url.URL) bool {
		return a == nil && b == nil || a != nil && b != nil && a.String() == b.String()
	}),
	cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() }),
	cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
}

func parseGood(t testing.TB, name string) *Config {
	t.Helper()
	c, err := parseFile(t, "testdata/good/"+name+".yml")
	if err != nil {
		t.Fatalf("got problems\n%s", err)
	}
	return c
}

func TestHistorySize(t *testing.T) {
	const file = "clusters: [{name: shop, balancer: {url: http://10.0.0.9}, nodes: [{id: node1, url: http://10.0.0.1}]}]\n"
	for text, want := range map[string]int64{
		"": 4e9, "history: {retention: 30d}": 4e9, "history: {max_size: 0}": 0, "history: {max_size: 2GiB}": 2 << 30,
		"history: {max_size: 500MB}": 500e6, "history: {url: \"postgres://stickwatch@db/stickwatch\"}": 20e9, "history: {max_size: 16000000}": 16e6,
	} {
		c, err := Parse("stickwatch.yml", []byte(file+text), testenv)
		if err != nil || c.History.MaxSize != want {
			t.Errorf("%q: got %+v, %v, want %d bytes", text, c, err, want)
		}
	}
}

func TestHistoryDatabase(t *testing.T) {
	const file = "clusters: [{name: shop, balancer: {url: http://10.0.0.9}, nodes: [{id: node1, url: http://10.0.0.1}]}]\n"
	socket := ""
	for text, want := range map[string]string{
		`{url: "postgres://stickwatch@db/stickwatch", password_file: testdata/files/slack.token}`: "postgres://stickwatch:xoxb-from-a-file@db/stickwatch",
		`{url: "postgres://stickwatch:p%40ss@db:5433/stickwatch?sslmode=disable"}`:                "postgres://stickwatch:p%40ss@db:5433/stickwatch?sslmode=disable",
		`{url: "postgresql://a:5432,b:5433/stickwatch"}`:                                          "postgresql://a:5432,b:5433/stickwatch",
		`{url: "postgres:///stickwatch?host=/run/postgresql"}`:                                    "postgres:///stickwatch?host=/run/postgresql",
	} {
		c, err := Parse("stickwatch.yml", []byte(file+"history: "+text), testenv)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := c.History.Location(); got != want || c.History.Path != "" {
			t.Errorf("%s: got %q and path %q, want %q", text, got, c.History.Path, want)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", c.History, c.History, c.History), "ss@") {
			t.Errorf("%s: the password is shown: %+v", text, c.History)
		}
		if got := c.AdminSocket(); filepath.Dir(got) != RunDirectory || got == socket {
			t.Errorf("%s: got admin socket %q, want one of its own in %s", text, got, RunDirectory)
		} else {
			socket = got
		}
	}
}

func TestContract(t *testing.T) {
	intervals := Intervals{Canary: 3 * time.Second, Status: 15 * time.Second, Pages: 15 * time.Second, Dependencies: 15 * time.Second}
	shanghai, _ := time.LoadLocation("Asia/Shanghai")
	want := &Config{
		Listen:  "127.0.0.1:9748",
		History: History{Path: "stickwatch.db", Retention: 400 * 24 * time.Hour, MaxSize: 4e9},
		Clusters: []*probes.Cluster{{
			Name:    "shop",
			Profile: "tomcat",
			Balancer: probes.Balancer{
				URLs:           []*url.URL{must.URL("http://10.0.0.9:8088")},
				Method:         probes.MethodIPHash,
				MaxFails:       1,
				FailTimeout:    10 * time.Second,
				ClientIPHeader: "X-Stickwatch-Client",
				Evidence:       probes.EvidenceSources{NginxErrorLog: "/var/log/nginx/error.log"},
			},
			Nodes: []probes.Node{
				{ID: "node1", URL: must.URL("http://10.0.0.1:8080"), Weight: 1, Primary: true},
				{ID: "node2", URL: must.URL("http://10.0.0.2:8080"), Weight: 1},
			},
			Session: &probes.Session{
				Path: "/cluster/index.jsp", Policy: probes.PolicySticky, Cookie: "JSESSIONID",
				Write: "/cluster/index.jsp?key1={value}",
			},
			Status:       &probes.Status{Path: "/status"},
			Pages:        []probes.Page{{Path: "/app_a/", Want: probes.StatusRange{From: 200, To: 399}}},
			Handshake:    &probes.Handshake{Path: "/socket.io/", Kind: probes.HandshakeEngineIO},
			Dependencies: []probes.Dependency{{Name: "Redis Server", URL: must.URL("redis://10.0.0.5:6379")}},
			Limits:       probes.DefaultLimits,
			Budget:       probes.DefaultBudget,
		}},
		Alerting: Alerting{
			Language:    "en",
			ExternalURL: must.URL("https://stickwatch.example/"),
			Receivers: []Receiver{
				{Name: "ops", Slack: &Slack{Token: NewSecret("xoxb-from-a-file"), Channel: "#ops", APIURL: "https://slack.com/api/"}},
				{Name: "am", Alertmanager: &Alertmanager{URL: must.URL("http://127.0.0.1:9093")}},
				{Name: "hook", Webhook: &Webhook{URL: must.URL("https://ops.example/hook"), Secret: NewSecret("signing key")}},
			},
			Routes:          []Route{{Receiver: "ops", Severity: checks.Critical}},
			For:             map[checks.Severity]time.Duration{checks.Critical: 0, checks.Warning: 30 * time.Second},
			ResolveAfter:    30 * time.Second,
			DeploymentGrace: 30 * time.Second,
			Repeat:          4 * time.Hour,
		},
		Maintenance: []Maintenance{{
			Cluster: "shop",
			Weekly:  Weekly{Days: [7]bool{time.Sunday: true}, From: 2 * 60, To: 4 * 60, Location: shanghai},
		}},
		Intervals:        intervals,
		ClusterIntervals: map[string]Intervals{"shop": intervals},
		Damping:          checks.Damping{Appear: 2, Vanish: 2},
	}
	expect.Equal(t, "result", want, parseGood(t, "contract"), compare)
}

func TestEverythingElse(t *testing.T) {
	got := parseGood(t, "everything_else")
	shop := &probes.Cluster{
		Name:    "商店",
		Profile: "generic",
		Balancer: probes.Balancer{
			URLs:        []*url.URL{must.URL("https://10.0.0.9"), must.URL("https://[2001:db8::9]:8443/shop")},
			Method:      probes.MethodHash,
			MaxFails:    1,
			FailTimeout: 10 * time.Second,
			HashKey:     "$http_x_user",
			Consistent:  true,
			Evidence: probes.EvidenceSources{
				HAProxyStats:          must.URL("http://admin:hunter2@10.0.0.9:8404/stats"),
				ApacheStatus:          must.URL("http://10.0.0.9/server-status"),
				ApacheBalancerManager: must.URL("http://10.0.0.9/balancer-manager"),
				CaddyAdmin:            must.URL("http://127.0.0.1:2019"),
			},
		},
		Nodes: []probes.Node{
			{ID: "1", URL: must.URL("https://10.0.0.1"), Host: "shop.example", Label: "tomcat1", Server: "app1:8080", Weight: 3},
			{ID: "2", URL: must.URL("https://10.0.0.1"), Host: "other.example", Weight: 3, Down: true},
		},
		Session: &probes.Session{
			Path: "/test?x=1", Policy: probes.PolicyShared, Timeout: 45 * time.Minute, Cookie: "SID", Write: "/test?x=1&value={value}",
		},
		Status: &probes.Status{Path: "/health", Settings: []string{"tls"}},
		Pages:  []probes.Page{{Path: "/", Want: probes.StatusRange{From: 200, To: 200}}},
		Dependencies: []probes.Dependency{
			{Name: "DB", URL: must.URL("postgres://app:s3cr3t@10.0.0.5/app")},
			{Name: "Cache", URL: must.URL("redis://:xoxb-from-the-environment@10.0.0.5")},
		},
		Limits: probes.Limits{Timeout: 4 * time.Second, Slow: 0, ClockSkew: time.Second, CertificateExpiry: 30 * 24 * time.Hour},
		Budget: probes.Budget{RequestsPerSecond: 8, Concurrent: 2},
	}
	expect.Equal(t, "cluster", shop, got.Cluster("商店"), compare)
	if tls := got.Clusters[0].TLS; tls == nil || !tls.InsecureSkipVerify {
		t.Errorf("got TLS %v, want one that skips verification", tls)
	}
	off := got.Cluster("off")
	if off.Session != nil || off.Status != nil || off.Handshake != nil || off.Pages != nil {
		t.Errorf("got %+v, want every probe of the profile switched off", off)
	}
	expect.Equal(t, "aliased session", shop.Session, got.Cluster("aliased").Session, compare)
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	must.Succeed(t, err)
	alerting := Alerting{
		Language: "zh", Location: shanghai, GrafanaURL: must.URL("https://grafana.example/d/stickwatch-cluster"),
		Receivers: []Receiver{
			{Name: "bot", Slack: &Slack{Token: NewSecret("xoxb-from-the-environment"), Channel: "#ops", APIURL: "http://127.0.0.1:1/"}},
			{Name: "hook", Slack: &Slack{WebhookURL: NewSecret("https://hooks.slack.com/services/x"), APIURL: "https://slack.com/api/"}},
			{Name: "ding", DingTalk: &DingTalk{Token: NewSecret("f00dcafe"), Secret: NewSecret("SEC1")}},
			{Name: "wecom", Shoutrrr: &Shoutrrr{URL: NewSecret("wecom://f00dcafe")}},
			{Name: "desk", Webhook: &Webhook{URL: must.URL("https://ops.example/hook"), Template: `{"text": {{json .message.text}}}`}},
		},
		Routes: []Route{
			{Receiver: "bot", Severity: checks.Warning, Continue: true},
			{Receiver: "hook", Severity: checks.Warning, Continue: true},
			{Receiver: "ding", Severity: checks.Warning, Continue: true},
			{Receiver: "wecom", Severity: checks.Warning, Continue: true},
			{Receiver: "desk", Severity: checks.Warning, Continue: true},
		},
		For:          map[checks.Severity]time.Duration{checks.Critical: 0, checks.Warning: 30 * time.Second},
		ResolveAfter: 30 * time.Second, DeploymentGrace: 30 * time.Second,
	}
	expect.Equal(t, "alerting", alerting, got.Alerting, compare)
	all := defaultIntervals
	all.Status = 30 * time.Second
	own := all
	own.Canary = 5 * time.Second
	if want := (checks.Damping{Appear: 3, Vanish: 2}); got.Damping != want {
		t.Errorf("got %+v, want %+v", got.Damping, want)
	}
	expect.Equal(t, "intervals", map[string]Intervals{"商店": own, "off": all, "aliased": all}, got.ClusterIntervals)
	version, ok := got.Clusters[0].Version.Extract(probes.Document{Body: []byte("build-v42")})
	if want := "42"; version != want || !ok {
		t.Errorf("got version %q, %t, want %q", version, ok, want)
	}
}

// TestProfilesAlone checks that a profile needs nothing but addresses.
func TestProfilesAlone(t *testing.T) {
	node := func(id, address string) probes.Node { return probes.Node{ID: id, URL: must.URL(address), Weight: 1} }
	base := func(profile string) probes.Cluster {
		return probes.Cluster{
			Name:    "shop",
			Profile: profile,
			Balancer: probes.Balancer{
				URLs: []*url.URL{must.URL("http://10.0.0.9:8088")}, Method: probes.MethodUnknown, MaxFails: 1, FailTimeout: 10 * time.Second,
			},
			Nodes:  []probes.Node{node("node1", "http://10.0.0.1:8080"), node("node2", "http://10.0.0.2:8080")},
			Limits: probes.DefaultLimits,
			Budget: probes.DefaultBudget,
		}
	}
	generic := base("generic")
	generic.Status = &probes.Status{Path: "/status"}
	generic.Session = &probes.Session{Path: "/cluster/test", Policy: probes.PolicySticky}

	ebridge := base("ebridge")
	ebridge.Balancer.Method = probes.MethodIPHash
	ebridge.Session = &probes.Session{Path: "/main/base/cluster/test", Policy: probes.PolicySticky}

	strategy := base("strategy-collaboration")
	strategy.Balancer.Method = probes.MethodIPHash
	strategy.Status = &probes.Status{Path: "/status", Settings: []string{"enableTls", "scaling", "logging"}}
	strategy.Handshake = &probes.Handshake{Path: "/socket.io/", Kind: probes.HandshakeEngineIO}
	strategy.Session = &probes.Session{Path: "/status", Policy: probes.PolicySticky}

	tomcat := base("tomcat")
	tomcat.Session = &probes.Session{
		Path: "/cluster/index.jsp", Policy: probes.PolicyReplicated, Cookie: "JSESSIONID", Write: "/cluster/index.jsp?key1={value}",
	}

	huozige := base("huozige")
	huozige.Balancer.MaxFails, huozige.Balancer.FailTimeout = 30, 20*time.Second
	huozige.Pages = []probes.Page{{Path: "/", Want: probes.StatusRange{From: 200, To: 399}}}

	msm := base("tomcat-msm")
	msm.Session = &probes.Session{Path: "/index.jsp", Policy: probes.PolicyShared, Cookie: "JSESSIONID"}

	keycloak := base("keycloak")
	keycloak.Session = &probes.Session{
		Path: "/realms/master/protocol/openid-connect/auth?client_id=account-console&response_type=code&scope=openid&redirect_uri=/realms/master/account/" +
			"&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		Policy: probes.PolicyShared, Cookie: "AUTH_SESSION_ID",
	}

	jenkins := base("jenkins")
	jenkins.Session = &probes.Session{Path: "/login", Policy: probes.PolicySticky}

	wants := []probes.Cluster{generic, ebridge, strategy, tomcat, huozige, msm, keycloak, jenkins}
	for _, p := range []struct {
		name, path string
		policy     probes.Policy
		cookie     string
	}{
		{"weblogic", "/stickwatch-test.jsp", probes.PolicySticky, "JSESSIONID"},
		{"websphere", "/stickwatch-test.jsp", probes.PolicySticky, ""},
		{"wildfly", "/stickwatch-test.jsp", probes.PolicySticky, "JSESSIONID"},
		{"tomcat-sticky", "/stickwatch-test.jsp", probes.PolicySticky, "JSESSIONID"},
		{"spring-session", "/stickwatch-test", probes.PolicyShared, "SESSION"},
		{"php", "/stickwatch-test.php", probes.PolicySticky, "PHPSESSID"},
		{"express", "/stickwatch-test", probes.PolicySticky, "connect.sid"},
		{"django", "/stickwatch-test", probes.PolicyShared, "sessionid"},
		{"rails", "/stickwatch-test", probes.PolicyShared, ""},
		{"aspnet-core", "/stickwatch-test", probes.PolicyShared, ".AspNetCore.Session"},
		{"test-page", "/stickwatch-test", probes.PolicySticky, ""},
	} {
		pasted := base(p.name)
		pasted.Session = &probes.Session{Path: p.path, Policy: p.policy, Cookie: p.cookie, Write: p.path + "?set={value}"}
		wants = append(wants, pasted)
	}
	if len(wants) != len(profiles) {
		t.Errorf("got %d profiles, want %d", len(profiles), len(wants))
	}
	for _, want := range wants {
		t.Run(want.Profile, func(t *testing.T) {
			got := parseGood(t, "profile_"+want.Profile)
			expect.Equal(t, "result", &want, got.Clusters[0], compare)
		})
	}
}

// TestFileWinsOverProfile checks that the file overrides the profile key by key, and
// that a profile's counter works with another path.
func TestFileWinsOverProfile(t *testing.T) {
	got := parse("stickwatch.yml", []byte(strings.Join([]string{
		"clusters:",
		"  - name: shop",
		"    profile: tomcat",
		"    balancer: {url: http://10.0.0.9, max_fails: 0}",
		"    nodes: [{id: node1, url: http://10.0.0.1}]",
		"    session: {path: /app/index.jsp, policy: sticky}",
	}, "\n")), testenv)
	c, err := got.config("")
	must.Succeed(t, err)
	want := &probes.Session{
		Path: "/app/index.jsp", Policy: probes.PolicySticky, Cookie: "JSESSIONID", Write: "/app/index.jsp?key1={value}",
	}
	expect.Equal(t, "result", want, c.Clusters[0].Session, compare)
	expect.Equal(t, "max_fails", 0, c.Clusters[0].Balancer.MaxFails)
}

// TestCounterDisabled checks that write: "" disables the counter of a profile.
func TestCounterDisabled(t *testing.T) {
	session := parseGoodText(t, "session: {path: /, write: \"\"}").Session
	if session.Path != "/" || session.Write != "" || session.Read != nil {
		t.Errorf("got path %q, write %q, read %v; want the page / without a counter", session.Path, session.Write, session.Read)
	}
}

// parseGoodText returns the cluster of a profile with a counter, and a line of its own.
func parseGoodText(t *testing.T, line string) *probes.Cluster {
	t.Helper()
	cfg, err := parse("stickwatch.yml", []byte(strings.Join([]string{
		"clusters:",
		"  - name: shop",
		"    profile: php",
		"    balancer: {url: http://10.0.0.9}",
		"    nodes: [{id: node1, url: http://10.0.0.1}]",
		"    " + line,
	}, "\n")), testenv).config("")
	must.Succeed(t, err)
	return cfg.Clusters[0]
}

// TestGood checks that all of testdata/good is valid.
func TestGood(t *testing.T) {
	paths, _ := filepath.Glob("testdata/good/*.yml")
	for _, path := range paths {
		if _, err := parseFile(t, path); err != nil {
			t.Errorf("%s", err)
		}
	}
}

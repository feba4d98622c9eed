package daemon

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/fleet"
	"stickwatch/internal/history"
	"stickwatch/internal/lab"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// A sessionRig is a fleet whose instances have a key.
type sessionRig struct {
	*fleetRig
	keyFile string
	keys    *fleet.Keys
}

var testKey = [fleet.KeySize]byte([]byte("0123456789abcdef0123456789abcdef"))

func newSessionRig(t *testing.T, clusters int) *sessionRig {
	t.Helper()
	if testing.Short() {
		t.Skip("it kills processes and waits for takeovers")
	}
	lab.Require(t, "psql", "pg_dump")
	r := &sessionRig{fleetRig: newFleetRig(t, clusters), keys: fleet.NewKeys(testKey)}
	r.keyFile = filepath.Join(r.dir, "fleet.key")
	r.writeKeys(t, testKey)
	r.edit = func(_, text string) string {
		return strings.Replace(text, "fleet: {", "fleet: {key_file: "+r.keyFile+", ", 1)
	}
	return r
}

// writeKeys makes these the keys that instances read.
func (r *sessionRig) writeKeys(t *testing.T, keys ...[fleet.KeySize]byte) {
	t.Helper()
	var text strings.Builder
	for _, key := range keys {
		fmt.Fprintln(&text, hex.EncodeToString(key[:]))
	}
	must.Succeed(t, os.WriteFile(r.keyFile, []byte(text.String()), 0o600))
}

// A storedSession is a session of a canary in the database.
type storedSession struct {
	Use   string
	State struct {
		Now, Opened time.Time
		Last        struct{ Session probes.Fingerprint }
		Cookies     []struct{ Cookie http.Cookie }
	}
}

// age returns how long the session was open when it was stored.
func (s storedSession) age() time.Duration { return s.State.Now.Sub(s.State.Opened) }

// sessions returns the stored sessions of a cluster, by fingerprint, and the epoch of their owner.
func (r *sessionRig) sessions(t *testing.T, cluster string) (all map[probes.Fingerprint]storedSession, epoch int64) {
	t.Helper()
	r.state(t)
	stored, err := r.reader.Canaries(t.Context(), []string{cluster})
	must.Succeed(t, err)
	cfg := r.configOf(t, "a")
	all = make(map[probes.Fingerprint]storedSession)
	for _, c := range stored {
		text, err := r.keys.Decrypt(originOf(cfg, c), c.Body)
		if err != nil {
			return nil, c.Epoch // by a process with another key
		}
		var list []storedSession
		must.Succeed(t, json.Unmarshal(text, &list))
		for _, s := range list {
			all[s.State.Last.Session] = s
		}
		epoch = c.Epoch
	}
	return all, epoch
}

// configOf returns the configuration of an instance.
func (r *sessionRig) configOf(t *testing.T, name string) *config.Config {
	t.Helper()
	file := filepath.Join(r.dir, name+".yml")
	text, err := os.ReadFile(file)
	must.Succeed(t, err)
	cfg, err := config.Parse(file, text, func(string) (string, bool) { return "", false })
	must.Succeed(t, err)
	return cfg
}

// complete reports whether there are sessions of each node and of the idle canaries of every cluster.
func (r *sessionRig) complete(t *testing.T) bool {
	t.Helper()
	for _, cluster := range r.clusters {
		uses := make(map[string]int)
		all, _ := r.sessions(t, cluster)
		for _, s := range all {
			uses[s.Use]++
		}
		if uses["node"] < len(r.Nodes) || uses["idle"] < 3 {
			return false
		}
	}
	return true
}

// psql runs a statement.
func (r *sessionRig) psql(t *testing.T, statement string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "psql", "-XAqt", "-v", "ON_ERROR_STOP=1", "-d", r.database.URL(), "-c", statement).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", statement, err, out)
	}
}

// refusals returns the lines in the log of an instance about sessions that are not continued.
func (r *sessionRig) refusals(t *testing.T, name string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(logOf(filepath.Join(r.dir, name+".yml")))
	must.Succeed(t, err)
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "sessions of other instances") {
			lines = append(lines, line)
		}
	}
	return lines
}

// noHarm checks that nobody has seen anything wrong with a cluster.
func (r *sessionRig) noHarm(t *testing.T) {
	t.Helper()
	r.state(t)
	list, err := r.reader.Incidents(t.Context(), alerting.IncidentQuery{})
	must.Succeed(t, err)
	for _, i := range list {
		t.Errorf("%s: %s %s", i.Cluster, i.State, i.Cause.Key())
	}
	for _, cluster := range r.clusters {
		changes, err := r.reader.Changes(t.Context(), cluster, checks.Span{From: time.Now().Add(-time.Hour), To: time.Now()}, 100)
		must.Succeed(t, err)
		for _, c := range changes {
			t.Errorf("%s: %s %s: %s", cluster, c.Kind, c.Key(), c.Summary)
		}
	}
}

// continued checks that the sessions of a cluster are those from before, as old as they must be.
func (r *sessionRig) continued(t *testing.T, cluster string, before map[probes.Fingerprint]storedSession) {
	t.Helper()
	after, _ := r.sessions(t, cluster)
	for id, old := range before {
		now, there := after[id]
		if !there {
			t.Errorf("%s: the session %s (%s) is not continued", cluster, id, old.Use)
			continue
		}
		passed := now.State.Now.Sub(old.State.Now)
		if drift := now.age() - old.age() - passed; drift.Abs() > 2*time.Second || now.Use != old.Use {
			t.Errorf("%s: the session %s (%s) has an age that is wrong by %s, as %s", cluster, id, old.Use, drift, now.Use)
		}
	}
}

// TestFleetContinuesSessions: the instance that takes clusters over, after kill -9 and after a stop,
// continues their sessions. In the database they are encrypted.
func TestFleetContinuesSessions(t *testing.T) {
	r := newSessionRig(t, 3)
	r.start(t, "a")
	r.start(t, "b")
	await(t, 2*time.Minute, "both have clusters", func() bool { return r.owned(t, "a", "b") })
	for _, end := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		await(t, 2*time.Minute, "all sessions are stored", func() bool { return r.complete(t) })
		r.findNoSession(t)
		before, epochs := make(map[string]map[probes.Fingerprint]storedSession), make(map[string]int64)
		for cluster, owner := range r.owners(t) {
			if owner == "a" {
				before[cluster], epochs[cluster] = r.sessions(t, cluster)
			}
		}
		if len(before) == 0 {
			t.Fatal("a has no cluster")
		}
		ended := time.Now()
		_ = r.running["a"].Process.Signal(end)
		_ = r.running["a"].Wait()
		await(t, 30*time.Second, "b has stored their sessions", func() bool {
			for cluster, epoch := range epochs {
				if _, now := r.sessions(t, cluster); now <= epoch {
					return false
				}
			}
			return true
		})
		await(t, time.Minute, "b has judged them", func() bool { return r.showsAll(t, r.running["b"], ended.Add(12*time.Second)) })
		for cluster, list := range before {
			r.continued(t, cluster, list)
		}
		r.noHarm(t)
		if lines := r.refusals(t, "b"); len(lines) > 0 {
			t.Errorf("%q", lines)
		}
		r.start(t, "a")
		await(t, 2*time.Minute, "both have clusters", func() bool { return r.owned(t, "a", "b") })
	}
}

// findNoSession searches a dump of the database for the cookies of canaries.
func (r *sessionRig) findNoSession(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "pg_dump", "-d", r.database.URL()).Output()
	must.Succeed(t, err)
	dump := strings.ToLower(string(out))
	found := 0
	for _, cluster := range r.clusters {
		all, _ := r.sessions(t, cluster)
		for _, s := range all {
			for _, c := range s.State.Cookies {
				value := strings.ToLower(c.Cookie.Value)
				for _, text := range []string{value, hex.EncodeToString([]byte(c.Cookie.Value))} {
					if found++; strings.Contains(dump, text) {
						t.Errorf("the database has a cookie of the session %s in clear", s.State.Last.Session)
					}
				}
			}
		}
	}
	if found == 0 || !strings.Contains(dump, "canaries") {
		t.Errorf("searched for %d texts", found)
	}
}

// TestCanariesOfOtherSettings: canaries are not continued once the settings of their cluster have changed.
// With another cookie or another value to read, each of them would seem to have lost its session.
func TestCanariesOfOtherSettings(t *testing.T) {
	r, keys := newRig(t), fleet.NewKeys(testKey)
	configured := func(more string) *config.Config {
		r.write(r.file("shop") + more)
		cfg, err := r.load()
		must.Succeed(t, err)
		return cfg
	}
	before := configured("")
	c := history.StoredCanaries{Cluster: "shop", Epoch: 1}
	c.Body = keys.Encrypt(originOf(before, c), []byte("[]"))
	for more, refused := range map[string]bool{
		"":                                   false,
		"damping: {appear: 3}\n":             false,
		"    session: {id: {cookie: sid}}\n": true,
		"    session: {write: '?a={value}', read: {regex: 'a=([0-9]+)'}}\n": true,
	} {
		cfg := configured(more)
		one := monitor.NewWatcher(cfg.Clusters[0], &monitor.Prober{}, nil, monitor.Intervals{})
		if err := continueOne(cfg, keys, 2, one, c); (err != nil) != refused {
			t.Errorf("with %q: got %v", more, err)
		}
	}
}

// TestFleetRefusesSessions: canaries that cannot be decrypted or read mean new ones and one line in the
// log. A rotation keeps the sessions.
func TestFleetRefusesSessions(t *testing.T) {
	r := newSessionRig(t, 2)
	old, young, none := testKey, [fleet.KeySize]byte{1, 2, 3}, [2]string{}
	r.start(t, "a")
	for n, tt := range []struct {
		name    string
		spoil   string // a statement; "": none
		keys    [][fleet.KeySize]byte
		edit    [2]string // a setting of the clusters, and another one
		refused string    // in the log
	}{
		{"truncated", "UPDATE canaries SET body = substring(body FROM 1 FOR 40)", nil, none, "another key"},
		{"too large", "UPDATE canaries SET body = body || convert_to(repeat('x', 2000000), 'UTF8')", nil, none, "too large"},
		{"of another cluster", "UPDATE canaries a SET body = b.body, epoch = b.epoch FROM canaries b WHERE a.cluster <> b.cluster", nil, none, "another key"},
		{"of a later epoch", "UPDATE canaries SET epoch = epoch + 1000", nil, none, "not of an earlier owner"},
		{"key changed", "", [][fleet.KeySize]byte{young}, none, "another key"},
		{"settings changed", "", nil, [2]string{"slow: 900ms", "slow: 950ms"}, "other settings"},
		{"rotated", "", [][fleet.KeySize]byte{old, young}, none, ""},
	} {
		await(t, 2*time.Minute, "all sessions are stored", func() bool { return r.complete(t) })
		before, _ := r.sessions(t, r.clusters[0])
		r.running["a"].kill()
		if tt.spoil != "" {
			r.psql(t, tt.spoil)
		}
		if tt.keys != nil {
			r.writeKeys(t, tt.keys...)
			r.keys = fleet.NewKeys(tt.keys[0], tt.keys[1:]...)
		}
		edit := r.edit
		r.edit = func(name, text string) string { return strings.ReplaceAll(edit(name, text), tt.edit[0], tt.edit[1]) }
		lines := len(r.refusals(t, "a"))
		began := time.Now()
		r.start(t, "a")
		await(t, time.Minute, "a watches again", func() bool { return r.showsAll(t, r.running["a"], began) })
		got := r.refusals(t, "a")[lines:]
		if tt.refused == "" && len(got) > 0 || tt.refused != "" && (len(got) != 1 || !strings.Contains(got[0], tt.refused)) {
			t.Errorf("%d %s: the log has %q, want %q once", n, tt.name, got, tt.refused)
		}
		if tt.refused == "" {
			await(t, time.Minute, "the sessions are stored with the new key", func() bool { return r.complete(t) })
			r.continued(t, r.clusters[0], before)
		}
	}
	r.noHarm(t)
}

// TestFleetNoticesLoss: sessions that are lost while nobody watches are noticed after the takeover.
func TestFleetNoticesLoss(t *testing.T) {
	r := newSessionRig(t, 1)
	r.start(t, "a")
	await(t, 2*time.Minute, "all sessions are stored", func() bool { return r.complete(t) })
	r.running["a"].kill()
	must.Succeed(t, r.Break("node-restarted"))
	r.start(t, "a")
	await(t, time.Minute, "the restart of node2 is noticed", func() bool {
		changes, err := r.reader.Changes(t.Context(), r.clusters[0], checks.Span{From: time.Now().Add(-time.Hour), To: time.Now()}, 100)
		must.Succeed(t, err)
		return slices.ContainsFunc(changes, func(c history.Change) bool { return c.Code == checks.NodeRestarted && c.Node == "node2" })
	})
}

// TestFleetDeletesSessions: the sessions of a cluster that is removed are deleted, and all of them when the
// key is.
func TestFleetDeletesSessions(t *testing.T) {
	r := newSessionRig(t, 2)
	a := r.start(t, "a")
	await(t, 2*time.Minute, "all sessions are stored", func() bool { return r.complete(t) })
	reload := func(edit func(string) string) {
		t.Helper()
		file := filepath.Join(r.dir, "a.yml")
		text, err := os.ReadFile(file)
		must.Succeed(t, err)
		must.Succeed(t, os.WriteFile(file, []byte(edit(string(text))), 0o600))
		must.Succeed(t, a.Process.Signal(syscall.SIGHUP))
	}
	stored := func() (clusters []string) {
		list, err := r.reader.Canaries(t.Context(), r.clusters)
		must.Succeed(t, err)
		for _, c := range list {
			clusters = append(clusters, c.Cluster)
		}
		return clusters
	}
	reload(func(text string) string {
		before, after, _ := strings.Cut(text, "  - name: "+r.clusters[1])
		return before + after[strings.Index(after, "fleet: {"):]
	})
	await(t, time.Minute, "those of the removed cluster are deleted", func() bool { return slices.Equal(stored(), r.clusters[:1]) })
	reload(func(text string) string { return strings.Replace(text, "key_file: "+r.keyFile+", ", "", 1) })
	await(t, time.Minute, "all are deleted", func() bool { return len(stored()) == 0 })
}

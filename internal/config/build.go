package config

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A builder converts wire structs to a Config. It reports errors and continues, so that
// all errors are reported at once.
type builder struct {
	*document
	dir  string   // base of relative paths of files
	read []string // secrets, and contents of files, of the current cluster; see digest

	labels map[string]probes.Extractor // by charset and labels: those of a profile are compiled once for all its clusters
}

func (b *builder) config(w wireFile) *Config {
	config := &Config{
		Listen:           b.listen("listen", w.Listen),
		History:          b.history("history", w.History),
		Intervals:        b.intervals("intervals", w.Intervals, defaultIntervals),
		ClusterIntervals: map[string]Intervals{},
		Damping:          b.damping("damping", w.Damping),
		digests:          map[string]string{},
		discovered:       map[string]discovered{},
	}
	config.Fleet = b.fleet("fleet", w.Fleet, config.History)
	if len(w.Clusters) == 0 {
		b.problem("clusters", "expected at least one cluster")
	}
	names := b.unique("cluster name")
	for i, wire := range w.Clusters {
		at := keyPath("clusters").item(i)
		names(at.key("name"), wire.Name)
		b.read = nil
		profiled := wire.withProfile()
		cluster := b.cluster(profiled, at)
		if from, ok := b.nodesFrom(wire.NodesFrom, cluster.Balancer, at.key("nodes_from")); ok {
			cluster.Unordered = from.DNS != nil
			config.discovered[wire.Name] = discovered{from, cluster.Nodes, profiled.Session, b.dir}
		}
		config.Clusters = append(config.Clusters, cluster)
		intervals := b.intervals(at.key("intervals"), wire.Intervals, config.Intervals)
		b.checkTimeout(at, wire, cluster.Limits.Timeout, intervals)
		sum := digest(wire, b.read)
		for _, site := range b.sites(wire.Sites, config.Fleet, at.key("sites")) {
			view := probes.ViewName(wire.Name, site)
			names(at.key("sites"), view)
			cluster.Sites = append(cluster.Sites, site)
			config.ClusterIntervals[view], config.digests[view] = intervals, sum
		}
		config.ClusterIntervals[wire.Name], config.digests[wire.Name] = intervals, sum
	}
	config.Alerting = b.alerting(w.Alerting, config)
	config.Maintenance = b.maintenance(w.Maintenance, config)
	config.Links = b.links(w.Links)
	config.Heartbeat = b.heartbeat("heartbeat", w.Heartbeat)
	return config
}

func (b *builder) listen(at keyPath, text string) string {
	text = cmp.Or(text, "127.0.0.1:9748")
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		err = validPort(port)
	}
	if err != nil {
		b.problem(at, "expected host:port such as 127.0.0.1:9748, got %s", b.valueText(at, text))
	}
	return text
}

func (b *builder) history(at keyPath, w wireHistory) History {
	const defaultSize, databaseSize, leastSize = 4e9, 20e9, 16e6
	history := History{Retention: orDefault(w.Retention, 400*day), MaxSize: defaultSize}
	where, text := at.key("url"), cmp.Or(w.URL, "sqlite:stickwatch.db")
	path, isFile := strings.CutPrefix(text, "sqlite:")
	history.Path = strings.TrimPrefix(path, "//")
	switch {
	case isDatabase(text):
		history.Path, history.MaxSize = "", databaseSize
		history.URL = b.database(at, w)
	case !isFile || history.Path == "":
		b.problem(where, "expected sqlite: and the path of a file, or postgres://USER@HOST/DATABASE, got %s", b.valueText(where, w.URL))
	case w.PasswordFile != "":
		b.problem(at.key("password_file"), "a file of SQLite has no password")
	}
	if history.Retention < time.Hour {
		b.problem(at.key("retention"), "expected at least 1h, got %s", FormatDuration(history.Retention))
	}
	if w.MaxSize != nil {
		history.MaxSize = int64(*w.MaxSize)
	}
	if history.MaxSize != 0 && history.MaxSize < leastSize {
		b.problem(at.key("max_size"), "expected at least %s, or 0 for no bound, got %s", formatSize(leastSize), formatSize(history.MaxSize))
	}
	return history
}

// databases are the schemes of PostgreSQL.
var databases = []string{"postgres", "postgresql"}

func isDatabase(text string) bool {
	scheme, _, ok := strings.Cut(text, "://")
	return ok && slices.Contains(databases, scheme)
}

// database returns the URL of a database with the password from its file.
func (b *builder) database(at keyPath, w wireHistory) Secret {
	where := at.key("url")
	address, err := url.Parse(w.URL)
	if err != nil || !address.Query().Has("host") { // a directory with a socket is a parameter
		address, err = parseURL(w.URL, databases)
	}
	if err != nil {
		b.problem(where, "%s %s", b.valueText(where, w.URL), err)
		return Secret{}
	}
	if w.PasswordFile == "" {
		return NewSecret(address.String())
	}
	own, _ := address.User.Password()
	password, from := b.valueOrFile(at, "password", "", w.PasswordFile)
	switch {
	case own != "":
		b.problem(from, "the url has a password too: expected one of them")
	case address.User.Username() == "":
		b.problem(where, "expected the user of the password: postgres://USER@HOST/DATABASE")
	default:
		address.User = url.UserPassword(address.User.Username(), password)
	}
	return NewSecret(address.String())
}

// hostname returns the name of this machine.
var hostname = os.Hostname

func (b *builder) fleet(at keyPath, w *wireFleet, history History) Fleet {
	const longest = 100 // bytes
	if w == nil {
		return Fleet{}
	}
	if history.URL.IsZero() {
		b.problem(at, "a fleet needs a history that its instances share: history: {url: postgres://USER@HOST/DATABASE}")
	}
	name := strings.TrimSpace(w.Instance)
	if name == "" {
		name, _ = hostname()
	}
	switch {
	case name == "":
		b.problem(at.key("instance"), "expected a name: this machine has none")
	case len(name) > longest || name != probes.Clean(name, longest):
		b.problem(at.key("instance"), "expected at most %d printable characters, got %s", longest, b.valueText(at.key("instance"), name))
	}
	return Fleet{Instance: name, Site: probes.Clean(strings.TrimSpace(w.Site), longest), Keys: b.keys(at.key("key_file"), w.KeyFile)}
}

// keys returns the keys in a file, one in a line.
func (b *builder) keys(at keyPath, path string) (keys []Secret) {
	const size = 32 // bytes
	if path == "" {
		return nil
	}
	text, ok := b.file(at, path)
	if !ok {
		return nil
	}
	if info, err := os.Stat(b.inDir(path)); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o037 != 0 {
		// Docker and Kubernetes give secrets to a group.
		b.problem(at, "expected a file that only its owner may write, and that others cannot read, such as with mode 0600 or 0440, got mode %04o", info.Mode().Perm())
	}
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		key, err := hex.DecodeString(line)
		if err != nil {
			key, err = base64.StdEncoding.DecodeString(line)
		}
		if err != nil || len(key) != size {
			b.problem(at, "line %d: expected %d bytes in hexadecimal or base64, as openssl rand -hex %d writes them", n+1, size, size)
			return nil
		}
		keys = append(keys, NewSecret(string(key)))
	}
	return keys
}

// sites returns the sites from which a cluster is watched.
func (b *builder) sites(list []string, fleet Fleet, at keyPath) []string {
	const longest = 50 // bytes
	if len(list) > 0 && fleet.Instance == "" {
		b.problem(at, "only the instances of a fleet have sites: expected fleet: {site: ...} too")
	}
	for i, site := range list {
		if site == "" || len(site) > longest || site != probes.Clean(strings.TrimSpace(site), longest) || strings.Contains(site, "@") {
			b.problem(at.item(i), "expected at most %d printable characters without @, got %s", longest, b.valueText(at.item(i), site))
		}
	}
	return list
}

func (b *builder) heartbeat(at keyPath, w *wireHeartbeat) Heartbeat {
	if w == nil {
		return Heartbeat{}
	}
	text, where := b.valueOrFile(at, "url", w.URL.Reveal(), w.URLFile)
	switch _, err := parseURL(text, web); {
	case text == "" && w.URLFile == "":
		b.problem(at, "expected one of url, url_file")
	case text != "" && err != nil:
		b.problem(where, "expected an address that begins with https:// or http://")
	}
	h := Heartbeat{URL: NewSecret(text), Interval: orDefault(w.Interval, time.Minute)}
	if h.Interval < 10*time.Second || h.Interval > time.Hour {
		b.problem(at.key("interval"), "expected 10s to 1h, got %s", FormatDuration(h.Interval))
	}
	return h
}

func (b *builder) intervals(at keyPath, w wireIntervals, base Intervals) Intervals {
	every := func(key string, d *duration, base time.Duration) time.Duration {
		got := orDefault(d, base)
		if d != nil && got < time.Second { // otherwise it is reported where it is written
			reason := ""
			if key == "canary" {
				reason = ": sessions cost a node memory"
			}
			b.problem(at.key(key), "expected at least 1s, got %s%s", FormatDuration(got), reason)
		}
		return got
	}
	return Intervals{
		Canary:       every("canary", w.Canary, base.Canary),
		Status:       every("status", w.Status, base.Status),
		Pages:        every("pages", w.Pages, base.Pages),
		Dependencies: every("dependencies", w.Dependencies, base.Dependencies),
	}
}

func (b *builder) damping(at keyPath, w wireDamping) checks.Damping {
	const most = 20
	rounds := func(key string, n *int) int {
		got := 2
		if n != nil {
			got = *n
		}
		if got < 1 || got > most {
			b.problem(at.key(key), "expected 1 to %d rounds, got %d", most, got)
		}
		return got
	}
	return checks.Damping{Appear: rounds("appear", w.Appear), Vanish: rounds("vanish", w.Vanish)}
}

// checkTimeout reports a time-out that is so long that a probe may still be waiting
// when the next one is due. Canaries may wait for each other.
func (b *builder) checkTimeout(at keyPath, wire wireCluster, timeout time.Duration, intervals Intervals) {
	for _, i := range []struct {
		key   string
		own   bool
		every time.Duration
	}{
		{"status", wire.Intervals.Status != nil, intervals.Status},
		{"pages", wire.Intervals.Pages != nil, intervals.Pages},
		{"dependencies", wire.Intervals.Dependencies != nil, intervals.Dependencies},
	} {
		if timeout <= i.every {
			continue
		}
		where := at.key("timeout")
		switch {
		case i.own:
			where = at.key("intervals").key(i.key)
		case wire.Timeout == nil:
			where = keyPath("intervals").key(i.key)
		}
		b.problem(where, "the time-out of %s is longer than the %s interval of %s: probes would overlap",
			FormatDuration(timeout), i.key, FormatDuration(i.every))
		return
	}
}

func (b *builder) evidence(at keyPath, w wireEvidence) probes.EvidenceSources {
	page := func(key, text string) *url.URL { return b.url(at.key(key), text, web) }
	return probes.EvidenceSources{
		NginxErrorLog:         w.NginxErrorLog,
		HAProxyStats:          page("haproxy_stats", w.HAProxyStats),
		ApacheStatus:          page("apache_status", w.ApacheStatus),
		ApacheBalancerManager: page("apache_balancer_manager", w.ApacheBalancerManager),
		CaddyAdmin:            page("caddy_admin", w.CaddyAdmin),
	}
}

// unique returns a function that reports the second of two equal names. It ignores
// missing names, which are reported elsewhere.
func (b *builder) unique(what string) func(at keyPath, name string) {
	seen := map[string]keyPath{}
	return func(at keyPath, name string) {
		first, ok := seen[name]
		switch {
		case name == "":
			return
		case !ok:
			seen[name] = at
		case b.flags == nil:
			b.problem(at, "the %s %s is on line %d already", what, b.valueText(at, name), b.nearest(first).Line)
		default:
			b.problem(at, "the %s %s is given twice", what, quote(name))
		}
	}
}

// name reports text that is not a displayable name.
func (b *builder) name(at keyPath, text string) string {
	const most = 100
	if text != strings.Map(printable, strings.TrimSpace(text)) || len(text) > most {
		b.problem(at, "expected up to %d bytes in one line without blanks around, got %s", most, b.valueText(at, text))
	}
	if text == "." || text == ".." {
		b.problem(at, "expected a name that can be part of an address, got %s", b.valueText(at, text))
	}
	return text
}

func orDefault(d *duration, base time.Duration) time.Duration {
	if d == nil {
		return base
	}
	return time.Duration(*d)
}

func validPort(port string) error {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return fmt.Errorf("port %s is not a number up to 65535", quote(port))
	}
	return nil
}

func (b *builder) limits(w wireCluster, at keyPath) probes.Limits {
	limits := probes.Limits{
		Timeout:           orDefault(w.Timeout, probes.DefaultLimits.Timeout),
		Slow:              orDefault(w.Slow, probes.DefaultLimits.Slow),
		ClockSkew:         orDefault(w.ClockSkew, probes.DefaultLimits.ClockSkew),
		CertificateExpiry: orDefault(w.CertificateExpiry, probes.DefaultLimits.CertificateExpiry),
	}
	const least = 100 * time.Millisecond
	switch {
	case limits.Timeout < least:
		b.problem(at.key("timeout"), "expected at least %s, got %s", FormatDuration(least), FormatDuration(limits.Timeout))
	case w.Slow == nil: // without slow, a short time-out means that no answer is slow
		limits.Slow = min(limits.Slow, limits.Timeout)
	case limits.Slow >= limits.Timeout:
		b.problem(at.key("slow"), "expected less than the time-out of %s, got %s: no answer could be slow",
			FormatDuration(limits.Timeout), FormatDuration(limits.Slow))
	}
	if limits.ClockSkew <= 0 {
		b.problem(at.key("clock_skew"), "expected more than 0s: no two clocks are equal")
	}
	return limits
}

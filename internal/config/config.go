// Package config converts stickwatch.yml to clusters and settings of the daemon.
//
// All mistakes of a file are reported at once, each with file, line, column, key and
// the expected value. Unknown keys are errors, because an ignored misspelt key would
// leave something unmonitored.
//
// A file passes four stages: YAML is parsed to a tree (document.go); the tree is
// decoded into the wire structs, whose comments are the manual (decode.go, wire*.go); a
// profile adds defaults (profiles.go); and the result is built (build*.go). The flags
// of `probe` enter at the first stage, so the same rules apply to them.
package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Config is a valid configuration with every default filled in.
type Config struct {
	Listen      string // host:port of the HTTP server
	History     History
	Fleet       Fleet
	Clusters    []*probes.Cluster // at least one, in the order of the file
	Alerting    Alerting
	Maintenance []Maintenance
	Heartbeat   Heartbeat
	Links       []Link // on the pages of clusters and incidents

	Intervals        Intervals            // default of clusters
	ClusterIntervals map[string]Intervals // by cluster name, one for every cluster

	Damping checks.Damping // number of rounds that confirm a change

	digests    map[string]string     // by cluster name; see SameCluster
	discovered map[string]discovered // by the name of each cluster with nodes_from
}

// Watched returns what this instance may watch: clusters, and its site's view of those that several
// sites watch.
func (c *Config) Watched() (list []*probes.Cluster) {
	for _, cluster := range c.Clusters {
		switch {
		case len(cluster.Sites) == 0:
			list = append(list, cluster)
		case slices.Contains(cluster.Sites, c.Fleet.Site):
			list = append(list, cluster.From(c.Fleet.Site))
		}
	}
	return list
}

// WithViews returns each cluster, followed by the views that its sites have of it.
func (c *Config) WithViews() (list []*probes.Cluster) {
	for _, cluster := range c.Clusters {
		list = append(list, cluster)
		for _, site := range cluster.Sites {
			list = append(list, cluster.From(site))
		}
	}
	return list
}

// Cluster returns the cluster, or the view of a cluster, of that name; nil if there is none.
func (c *Config) Cluster(name string) *probes.Cluster {
	for _, cluster := range c.Clusters {
		if cluster.Name == name {
			return cluster
		}
		for _, site := range cluster.Sites {
			if probes.ViewName(cluster.Name, site) == name {
				return cluster.From(site)
			}
		}
	}
	return nil
}

// History configures where history is stored, for how long, and its size.
type History struct {
	Path      string // of the SQLite file, as configured; "": it is in PostgreSQL
	URL       Secret // of the PostgreSQL database, with its password; zero: it is in a file
	Retention time.Duration
	MaxSize   int64 // bytes; 0: no limit
}

// Location returns the path of the file, or the URL of the database with its password.
func (h History) Location() string { return cmp.Or(h.Path, h.URL.Reveal()) }

// A Fleet configures this process as one of several with the same history.
type Fleet struct {
	Instance string   // the name; "": this process is alone
	Site     string   // where it is; "": not configured
	Keys     []Secret // encrypt the sessions for other instances: the first one, and the ones before; none: they are not stored
}

// Digest identifies the configuration of all clusters and of what receivers are notified of, without
// secrets, to compare it with that of other instances.
func (c *Config) Digest() string {
	sum := sha256.New()
	for _, cluster := range c.Clusters {
		fmt.Fprintf(sum, "%q %q %+v\n", cluster.Name, c.digests[cluster.Name], c.ClusterIntervals[cluster.Name])
	}
	a := c.Alerting
	fmt.Fprintf(sum, "%+v %+v %v %s %s %t %s", c.Damping, a.Routes, a.For, a.ResolveAfter, a.Repeat, a.GroupByHost, a.DeploymentGrace)
	for _, receiver := range a.Receivers {
		fmt.Fprintf(sum, "\n%q", receiver.Name)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

// A Heartbeat configures the requests that show another service that stickwatch does its
// work.
type Heartbeat struct {
	URL      Secret // zero: none are sent
	Interval time.Duration
}

// Secrets returns the parts of the address that must not be shown.
func (h Heartbeat) Secrets() []string {
	address, err := url.Parse(h.URL.Reveal())
	if err != nil {
		return []string{h.URL.Reveal()}
	}
	return append(append(probes.SecretsOf(address), h.URL.Reveal()), secretPath(address)...)
}

// RunDirectory is the directory of admin sockets that are not beside a history file.
const RunDirectory = "/run/stickwatch"

// GraceAfterDeployment returns how long after its end a deployment of a cluster explains
// findings: until the balancer has readmitted ejected nodes, and canaries have sent a request
// since and had its answer judged.
func (c *Config) GraceAfterDeployment(cluster *probes.Cluster) time.Duration {
	return max(c.Alerting.DeploymentGrace, cluster.Balancer.FailTimeout, 2*c.ClusterIntervals[cluster.Name].Canary)
}

// AdminSocket returns the default path of the daemon's admin socket: beside the
// history's file, or in RunDirectory where that path is too long for a socket, or where the history
// is in PostgreSQL.
func (c *Config) AdminSocket() string {
	const maxLength = 90 // bytes; systems allow about 100
	name := c.History.Path
	if path := name + ".sock"; name != "" && len(path) <= maxLength {
		return path
	}
	if u, err := url.Parse(c.History.URL.Reveal()); name == "" && err == nil {
		name = u.Redacted() + c.Fleet.Instance
	}
	hash := sha256.Sum256([]byte(name))
	return filepath.Join(RunDirectory, hex.EncodeToString(hash[:6])+".sock")
}

// Intervals are the intervals of probes in serve.
type Intervals struct {
	Canary       time.Duration // next request of each canary
	Status       time.Duration // nodes and balancer addresses
	Pages        time.Duration
	Dependencies time.Duration
}

var defaultIntervals = Intervals{
	Canary:       3 * time.Second,
	Status:       15 * time.Second,
	Pages:        15 * time.Second,
	Dependencies: 15 * time.Second,
}

// Load reads the configuration at path. The error is Problems, unless the file cannot
// be read.
func Load(path string) (*Config, error) {
	data, err := readFile(path, maxFile)
	if err != nil && !errors.Is(err, errTooLarge) { // Parse reports that it is too large
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	return Parse(path, data, os.LookupEnv)
}

// Parse returns the Config in data. name is the name of its file, for problems and for
// relative paths; getenv looks up ${VAR}, like os.LookupEnv. The error is Problems.
func Parse(name string, data []byte, getenv func(string) (string, bool)) (*Config, error) {
	return parse(name, data, getenv).config(filepath.Dir(name))
}

// config builds a document. Relative paths start at dir.
func (doc *document) config(dir string) (*Config, error) {
	var c *Config
	if doc.root != nil {
		var wire wireFile
		if doc.decode(&wire) {
			c = (&builder{document: doc, dir: dir}).config(wire)
		}
	}
	if len(doc.problems) > 0 {
		return nil, doc.reported()
	}
	return c, nil
}

// digest returns a digest of a cluster's configuration; "" if there is none. read are its
// secrets and the contents of its files, which w does not show.
func digest(w wireCluster, read []string) string {
	text, err := json.Marshal(struct {
		wireCluster
		Read []string
	}{w, read})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// ClusterDigest identifies the configuration of a cluster, or of a view of it, without intervals and
// damping. It depends on secrets: it must not be shown.
func (c *Config) ClusterDigest(name string) string { return c.digests[name] }

// SameCluster reports whether a cluster is configured as in an older configuration,
// including intervals and damping.
func (c *Config) SameCluster(name string, old *Config) bool {
	return c.digests[name] != "" && c.digests[name] == old.digests[name] &&
		c.ClusterIntervals[name] == old.ClusterIntervals[name] && c.Damping == old.Damping
}

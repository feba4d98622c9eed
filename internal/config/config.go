package config

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Config is a valid configuration with every default filled in.
type Config struct {
	Listen      string // host:port on which serve answers
	History     History
	Clusters    []*probes.Cluster // at least one, in the order of the file
	Alerting    Alerting
	Maintenance []Maintenance

	Intervals        Intervals            // of a cluster that does not say otherwise
	ClusterIntervals map[string]Intervals // by cluster name, one for every cluster

	Damping checks.Damping // how many rounds it takes to believe a change

	digests map[string]string // by cluster name; see SameCluster
}

// Cluster returns the cluster of that name; nil when there is none.
func (c *Config) Cluster(name string) *probes.Cluster {
	for _, cluster := range c.Clusters {
		if cluster.Name == name {
			return cluster
		}
	}
	return nil
}

// History tells where the past is kept, for how long, and how much of it.
type History struct {
	Path      string // of the SQLite file, as it was given
	Retention time.Duration
	MaxSize   int64 // bytes; 0: no bound
}

// RunDirectory is where admin sockets are that are not beside a history.
const RunDirectory = "/run/stickwatch"

// AdminSocket is the path of the Unix socket by which the daemon may be told
// everything, unless it was started with another: beside the history's file, or in
// RunDirectory where that path is too long for a socket.
func (c *Config) AdminSocket() string {
	const maxLength = 90 // bytes; systems take about 100
	if path := c.History.Path + ".sock"; len(path) <= maxLength {
		return path
	}
	hash := sha256.Sum256([]byte(c.History.Path))
	return filepath.Join(RunDirectory, hex.EncodeToString(hash[:6])+".sock")
}

// Intervals tell how often serve probes.
type Intervals struct {
	Canary       time.Duration // each canary's next request
	Status       time.Duration // nodes and balancer addresses
	Pages        time.Duration
	Dependencies time.Duration
}

// DefaultIntervals hold where a configuration is silent.
var DefaultIntervals = Intervals{
	Canary:       3 * time.Second,
	Status:       15 * time.Second,
	Pages:        15 * time.Second,
	Dependencies: 15 * time.Second,
}

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
	Listen      string // host:port of the HTTP server
	History     History
	Clusters    []*probes.Cluster // at least one, in the order of the file
	Alerting    Alerting
	Maintenance []Maintenance

	Intervals        Intervals            // default of clusters
	ClusterIntervals map[string]Intervals // by cluster name, one for every cluster

	Damping checks.Damping // number of rounds that confirm a change

	digests map[string]string // by cluster name; see SameCluster
}

// Cluster returns the cluster of that name; nil if there is none.
func (c *Config) Cluster(name string) *probes.Cluster {
	for _, cluster := range c.Clusters {
		if cluster.Name == name {
			return cluster
		}
	}
	return nil
}

// History configures where history is stored, for how long, and its size.
type History struct {
	Path      string // of the SQLite file, as configured
	Retention time.Duration
	MaxSize   int64 // bytes; 0: no limit
}

// RunDirectory is the directory of admin sockets that are not beside a history file.
const RunDirectory = "/run/stickwatch"

// AdminSocket returns the default path of the daemon's admin socket: beside the
// history's file, or in RunDirectory where that path is too long for a socket.
func (c *Config) AdminSocket() string {
	const maxLength = 90 // bytes; systems allow about 100
	if path := c.History.Path + ".sock"; len(path) <= maxLength {
		return path
	}
	hash := sha256.Sum256([]byte(c.History.Path))
	return filepath.Join(RunDirectory, hex.EncodeToString(hash[:6])+".sock")
}

// Intervals are the intervals of probes in serve.
type Intervals struct {
	Canary       time.Duration // next request of each canary
	Status       time.Duration // nodes and balancer addresses
	Pages        time.Duration
	Dependencies time.Duration
}

// DefaultIntervals are the defaults.
var DefaultIntervals = Intervals{
	Canary:       3 * time.Second,
	Status:       15 * time.Second,
	Pages:        15 * time.Second,
	Dependencies: 15 * time.Second,
}

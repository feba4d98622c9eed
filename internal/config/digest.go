package config

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
)

// digest is short for everything that a file says of a cluster; "" where that
// cannot be told.
func digest(w wireCluster) string {
	text, err := json.Marshal(w)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// SameCluster reports whether c says the same of a cluster as an older
// configuration did, how often to probe it and what to believe included.
func (c *Config) SameCluster(name string, old *Config) bool {
	a, b := c.Cluster(name), old.Cluster(name)
	return a != nil && b != nil && c.digests[name] != "" && c.digests[name] == old.digests[name] &&
		c.ClusterIntervals[name] == old.ClusterIntervals[name] && c.Damping == old.Damping && sameRoots(a.TLS, b.TLS)
}

// sameRoots reports whether the same authorities are trusted: their file may
// have changed, though its name has not.
func sameRoots(a, b *tls.Config) bool {
	if a == nil || b == nil || a.RootCAs == nil || b.RootCAs == nil {
		return (a == nil || a.RootCAs == nil) == (b == nil || b.RootCAs == nil)
	}
	return a.RootCAs.Equal(b.RootCAs)
}

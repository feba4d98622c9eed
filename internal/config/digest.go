package config

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
)

// digest returns a digest of a cluster's configuration; "" if there is none.
func digest(w wireCluster) string {
	text, err := json.Marshal(w)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// SameCluster reports whether a cluster is configured as in an older configuration,
// including intervals and damping.
func (c *Config) SameCluster(name string, old *Config) bool {
	a, b := c.Cluster(name), old.Cluster(name)
	return a != nil && b != nil && c.digests[name] != "" && c.digests[name] == old.digests[name] &&
		c.ClusterIntervals[name] == old.ClusterIntervals[name] && c.Damping == old.Damping && sameRoots(a.TLS, b.TLS)
}

// sameRoots reports whether the same authorities are trusted. The contents of their
// file may have changed.
func sameRoots(a, b *tls.Config) bool {
	if a == nil || b == nil || a.RootCAs == nil || b.RootCAs == nil {
		return (a == nil || a.RootCAs == nil) == (b == nil || b.RootCAs == nil)
	}
	return a.RootCAs.Equal(b.RootCAs)
}

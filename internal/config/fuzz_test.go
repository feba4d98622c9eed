package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stickwatch/internal/must"
)

// FuzzParse checks that Parse returns either a usable Config or problems that can be
// displayed.
func FuzzParse(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*/*.yml")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		must.Succeed(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "_file") {
			t.Skip("reads files")
		}
		c, err := Parse("testdata/fuzz.yml", data, testenv)
		if err == nil {
			checkUsable(t, c)
			return
		}
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) == 0 {
			t.Fatalf("got error %v, want Problems", err)
		}
		for _, p := range problems {
			if strings.Contains(p.Error(), "\n") || strings.Contains(p.Source, "\n") {
				t.Errorf("got more than a line: %q, %q", p.Error(), p.Source)
			}
			if strings.Contains(p.excerpt(), "hunter2(") {
				t.Errorf("got a value of the environment: %q", p.excerpt())
			}
		}
	})
}

func checkUsable(t *testing.T, c *Config) {
	if len(c.Clusters) == 0 {
		t.Fatal("got no cluster")
	}
	for _, cluster := range c.Clusters {
		if cluster.Name == "" || len(cluster.Nodes) == 0 || len(cluster.Balancer.URLs) == 0 {
			t.Errorf("got %+v", cluster)
		}
		for _, n := range cluster.Nodes {
			if n.ID == "" || n.URL == nil || n.Weight < 1 {
				t.Errorf("got node %+v", n)
			}
		}
		if s := cluster.Session; s != nil && (s.Path == "" || s.Node == nil && s.ID == nil) {
			t.Errorf("got session %+v", s)
		}
		if c.ClusterIntervals[cluster.Name].Status <= 0 {
			t.Errorf("got no intervals of %q", cluster.Name)
		}
	}
}

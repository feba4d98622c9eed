package balance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A recording is what a running nginx was seen to do.
type recording struct {
	Source string
	Pools  []recordedPool
}

type recordedPool struct {
	Method  string
	Servers []string // absent where the method does not look at names
	Weights []int
	Down    []int
	Backup  []int
	Ejected []int
	Cases   []recordedPick
}

// A recordedPick is written [key, node]. Node -1: asked again and again, nginx
// gave different nodes, or none.
type recordedPick struct {
	Key  string
	Node int
}

func (p *recordedPick) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[...]any{&p.Key, &p.Node})
}

func (p recordedPool) servers() []Server {
	servers := make([]Server, len(p.Weights))
	for i, weight := range p.Weights {
		servers[i] = Server{
			Weight: weight,
			Down:   slices.Contains(p.Down, i),
			Backup: slices.Contains(p.Backup, i),
		}
		if p.Servers != nil {
			servers[i].Name = p.Servers[i]
		}
	}
	return servers
}

// methods are the constructors by the names that recordings use.
var methods = map[string]func([]Server) Picker{
	"ip_hash":         IPHash,
	"hash":            Hash,
	"hash_consistent": Consistent,
}

func TestNginxPicks(t *testing.T) {
	for _, test := range []struct {
		file  string
		cases map[string][]int // picks a pool, in order, so that no cut file passes
	}{
		{"nginx_balancing.json", map[string][]int{
			"ip_hash":         {40, 40, 40, 40, 40, 40, 40},
			"hash":            {20, 20, 20, 20, 20, 20, 20},
			"hash_consistent": {20, 20, 20, 20, 20, 20, 20},
		}},
		{"nginx_ejection.json", map[string][]int{
			"ip_hash":         slices.Repeat([]int{16}, 16),
			"hash":            slices.Repeat([]int{16}, 16),
			"hash_consistent": slices.Repeat([]int{16}, 16),
		}},
	} {
		t.Run(test.file, func(t *testing.T) {
			r := readRecording(t, test.file)
			cases := make(map[string][]int)
			for _, pool := range r.Pools {
				cases[pool.Method] = append(cases[pool.Method], len(pool.Cases))
				name := fmt.Sprintf("%s %v down %v backup %v ejected %v",
					pool.Method, pool.Weights, pool.Down, pool.Backup, pool.Ejected)
				t.Run(name, func(t *testing.T) { checkPool(t, pool) })
			}
			if diff := cmp.Diff(test.cases, cases); diff != "" {
				t.Errorf("number of recorded picks (-want +got):\n%s", diff)
			}
		})
	}
}

func checkPool(t *testing.T, pool recordedPool) {
	p := methods[pool.Method](pool.servers())
	for _, want := range pool.Cases {
		node, ok := p.Pick(want.Key, pool.Ejected...)
		if node != want.Node || ok != (want.Node >= 0) {
			t.Errorf("Pick(%q) = %d, %t, nginx sent it to %d", want.Key, node, ok, want.Node)
		}
	}
}

func readRecording(t *testing.T, name string) recording {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var r recording
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("reading %q: %v", name, err)
	}
	return r
}

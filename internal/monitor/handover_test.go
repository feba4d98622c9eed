package monitor

import (
	"testing"

	"stickwatch/probes"
)

// TestDependsOnAddress: a session is continued from another machine only if the balancer recognises it
// by what the client presents.
func TestDependsOnAddress(t *testing.T) {
	for name, tt := range map[string]struct {
		balancer probes.Balancer
		policy   probes.Policy
		key      string
		want     bool
	}{
		"client header":   {probes.Balancer{Method: probes.MethodIPHash}, probes.PolicySticky, "10.0.0.1", false},
		"address":         {probes.Balancer{Method: probes.MethodIPHash}, probes.PolicySticky, "", true},
		"source":          {probes.Balancer{Method: probes.MethodSource}, probes.PolicyReplicated, "", true},
		"unknown":         {probes.Balancer{Method: probes.MethodUnknown}, probes.PolicySticky, "", true},
		"shared":          {probes.Balancer{Method: probes.MethodUnknown}, probes.PolicyShared, "", false},
		"cookie":          {probes.Balancer{Method: probes.MethodCookie}, probes.PolicySticky, "", false},
		"hash of cookie":  {probes.Balancer{Method: probes.MethodHash, HashKey: "$cookie_user"}, probes.PolicySticky, "", false},
		"hash of address": {probes.Balancer{Method: probes.MethodHash, HashKey: "$remote_addr"}, probes.PolicySticky, "", true},
	} {
		c := &probes.Cluster{Balancer: tt.balancer, Session: &probes.Session{Policy: tt.policy}}
		if got := dependsOnAddress(c, tt.key); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// TestSkipCounterBase: a new client does not write the values of one that another process opened.
func TestSkipCounterBase(t *testing.T) {
	p := new(Prober)
	theirs := p.nextCounterBase() + 41000
	p.skipCounterBase(theirs)
	p.skipCounterBase(1000)
	if got := p.nextCounterBase(); got != theirs+1000 {
		t.Errorf("got %d after %d", got, theirs)
	}
}

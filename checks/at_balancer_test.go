package checks

import "testing"

// TestAtBalancer: while no node is up, none of these is a cause.
func TestAtBalancer(t *testing.T) {
	t.Parallel()
	for _, code := range AtBalancer {
		found := explain([]Finding{{Code: code, Severity: Critical, Target: "http://shop.example"}, noneUp("node1"), noneUp("node2")})
		for _, f := range found {
			if f.Code == code && f.ExplainedBy != "node_down/node1" {
				t.Errorf("%s is explained by %q", code, f.ExplainedBy)
			}
		}
	}
}

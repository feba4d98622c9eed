package cookies

import (
	"slices"
	"strings"
	"testing"
)

// Whatever a target sets: nothing breaks, no node is invented, and no part of
// the value comes out.
func FuzzDecode(f *testing.F) {
	for _, seed := range [][2]string{
		{"JSESSIONID", "0123.tomcat1"},
		{"SESSION", "N2U4MzgzYTQtMDgyYy00ZmZlLWE0YmMtYzQwZmQzMzYzYzVlLm5vZGUx"},
		{"SRV", "node1|awDAw|awDAw"},
		{"SRV", "node1~0123"},
		{"route", "05ef642f508b1e5b76612ddbd5f89a4c"},
		{"x", "Cg0xMC4wLjAuMTo4MDgwEKCNBg=="},
		{"x", "MS4yLjMuNDo4MA=="},
		{"x", "CgA="},
		{"x", `"`},
		{"BIGipServerpool", "1677787402.36895.0000"},
		{"x", "rd5o00000000000000000000ffffc0000201o80"},
		{"x", "vi20010112000000000000000000000030.20480"},
		{"AWSALB", "x"},
	} {
		f.Add(seed[0], seed[1], "")
	}
	ids := []string{"", "node1", "node2", "3", "4"}
	f.Fuzz(func(t *testing.T, name, value, configured string) {
		opts := Options{Cookie: configured, Secret: "s3cret", Backend: "default-shop-80"}
		a, ok := Decode(name, value, cluster, opts)
		switch {
		case !ok && a != Affinity{}:
			t.Errorf("%+v comes with nothing told", a)
		case ok && (a.Kind == "" || a.Product == ""):
			t.Errorf("%+v lacks its kind or product", a)
		case !slices.Contains(ids, a.Node) || (a.Node != "") != (a.Kind == KindNode):
			t.Errorf("%+v names no listed node", a)
		case a.Kind == KindRotating && a.Address.IsValid():
			t.Errorf("%+v was read from a random value", a)
		}
		if a.Address.IsValid() && strings.Contains(a.Address.String(), "%") {
			t.Errorf("%+v carries text of the value", a)
		}
	})
}

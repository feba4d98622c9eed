package cookies

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stickwatch/probes"
)

var cluster = []Server{
	{ID: "node1", Address: "10.0.0.1:8080", Names: []string{"a", "tomcat1", "C.tomcat1"}, URL: "http://10.0.0.1:8080"},
	{ID: "node2", Address: "10.0.0.2:8080", Names: []string{"b", "tomcat2"}},
	{ID: "3", Address: "[2001:112::30]:80"},
	{ID: "4", Address: "10.1.1.100:8080"},
}

// decode returns the affinity of one cookie, and whether its name or value is known.
func decode(name, value string, servers []Server, opts Options) (Affinity, bool) {
	c, ok := newNodeIndex(servers, opts).decode(name, value)
	return c.Affinity, ok
}

// The hashes were computed with other programs, from "10.0.0.1:8080" and
// "http://10.0.0.1:8080".
func TestDecode(t *testing.T) {
	address := netip.MustParseAddrPort
	tests := map[string]struct {
		name, value string
		opts        Options
		want        Affinity
	}{
		"nginx, md5":           {"srv_id", "05ef642f508b1e5b76612ddbd5f89a4c", Options{}, Affinity{Product: Nginx, Kind: KindNode, Node: "node1"}},
		"nginx, other name":    {"x", "05ef642f508b1e5b76612ddbd5f89a4c", Options{}, Affinity{Product: Nginx, Kind: KindNode, Node: "node1"}},
		"nginx, route=":        {"srv_id", "b", Options{}, Affinity{Product: Nginx, Kind: KindNode, Node: "node2"}},
		"nginx, unlisted":      {"route", "f2b4f2d7ff4e4ea5d5ae0a3a4ec6d7c1", Options{}, Affinity{Product: Nginx, Kind: KindStable}},
		"Tengine, maxidle":     {"route", "05ef642f508b1e5b76612ddbd5f89a4c|1732142400|1732142000", Options{}, Affinity{Product: Nginx, Kind: KindNode, Node: "node1"}},
		"Tengine, prefix":      {"PHPSESSID", "05ef642f508b1e5b76612ddbd5f89a4c~0123", Options{}, Affinity{Product: Nginx, Kind: KindNode, Node: "node1"}},
		"Tengine, plain":       {"route", "10.0.0.2:8080", Options{}, Affinity{Product: Nginx, Kind: KindNode, Node: "node2"}},
		"httpd":                {"ROUTEID", ".tomcat1", Options{}, Affinity{Product: HTTPD, Kind: KindNode, Node: "node1"}},
		"httpd, short route":   {"ROUTEID", ".b", Options{}, Affinity{Product: HTTPD, Kind: KindNode, Node: "node2"}},
		"httpd, any cookie":    {"app", "0123.tomcat2", Options{}, Affinity{Product: HTTPD, Kind: KindNode, Node: "node2"}},
		"httpd, unlisted":      {"ROUTEID", ".tomcat9", Options{}, Affinity{Product: HTTPD, Kind: KindStable}},
		"Tomcat":               {"JSESSIONID", "0123456789ABCDEF0123456789ABCDEF.tomcat2", Options{}, Affinity{Product: HTTPD, Kind: KindNode, Node: "node2"}},
		"Tomcat, first dot":    {"JSESSIONID", "AB.C.tomcat2", Options{}, Affinity{Product: HTTPD, Kind: KindStable}},
		"Tomcat, dotted route": {"JSESSIONID", "AB.C.tomcat1", Options{}, Affinity{Product: HTTPD, Kind: KindNode, Node: "node1"}},
		"Tomcat, no route":     {"JSESSIONID", "0123456789ABCDEF0123456789ABCDEF", Options{}, Affinity{Product: HTTPD, Kind: KindNone}},
		"MSM":                  {"JSESSIONID", "0123-n1.tomcat1", Options{}, Affinity{Product: HTTPD, Kind: KindNode, Node: "node1"}},
		"HAProxy, insert":      {"SERVERID", "a", Options{}, Affinity{Product: HAProxy, Kind: KindNode, Node: "node1"}},
		"HAProxy, maxidle":     {"SRV", "node1|awDAw|awDAw", Options{}, Affinity{Product: HAProxy, Kind: KindNode, Node: "node1"}},
		"HAProxy, prefix":      {"JSESSIONID", "node1~0123.tomcat2", Options{}, Affinity{Product: HAProxy, Kind: KindNode, Node: "node1"}},
		"HAProxy, no key":      {"SRV", "b0139f9bf96a2fae", Options{}, Affinity{Product: HAProxy, Kind: KindStable}},
		"Caddy":                {"lb", "b4196dcae8d61f8cc61ed60f36aff96727f28ea6724a491eaaf6ed0b17f427ca", Options{}, Affinity{Product: Caddy, Kind: KindNode, Node: "node1"}},
		"Caddy, secret":        {"lb", "b0dfeb4f36fa8cda1bacd76ab8f220aff99a274d83c4a4c6b6cf685aa672591d", Options{Secret: "s3cret"}, Affinity{Product: Caddy, Kind: KindNode, Node: "node1"}},
		"Caddy, other secret":  {"lb", "b0dfeb4f36fa8cda1bacd76ab8f220aff99a274d83c4a4c6b6cf685aa672591d", Options{}, Affinity{Product: Caddy, Kind: KindStable}},
		"Traefik 3":            {"_1d52e", "cc3dd0c247d6ff41", Options{}, Affinity{Product: Traefik, Kind: KindNode, Node: "node1"}},
		"Traefik 2":            {"_1d52e", "b0139f9bf96a2faf", Options{}, Affinity{Product: Traefik, Kind: KindNode, Node: "node1"}},
		"Traefik 2, twice":     {"_1d52e", "4e414402b31ab6ea", Options{}, Affinity{Product: Traefik, Kind: KindNode, Node: "node1"}},
		"Traefik, URL":         {"_1d52e", "http://10.0.0.2:8080", Options{}, Affinity{Product: Traefik, Kind: KindNode, Node: "node2"}},
		"ingress, persistent":  {"INGRESSCOOKIE", "9809cb30f0cbee517e98ec6f00e4532e|4a1b", Options{Backend: "default-shop-80"}, Affinity{Product: IngressNginx, Kind: KindNode, Node: "node1"}},
		"ingress, no backend":  {"INGRESSCOOKIE", "9809cb30f0cbee517e98ec6f00e4532e|4a1b", Options{}, Affinity{Product: IngressNginx, Kind: KindStable}},
		"ingress, balanced":    {"INGRESSCOOKIE", "1594116325.643.41.158032|4a1b", Options{}, Affinity{Product: IngressNginx, Kind: KindStable}},
		"Envoy, documented":    {"sticky-host", `"MS4yLjMuNDo4MA=="`, Options{}, Affinity{Product: Envoy, Kind: KindStable, Address: address("1.2.3.4:80")}},
		"Envoy":                {"sticky-host", "MTAuMC4wLjE6ODA4MA==", Options{}, Affinity{Product: Envoy, Kind: KindNode, Node: "node1", Address: address("10.0.0.1:8080")}},
		"Envoy, protobuf":      {"sticky-host", "Cg0xMC4wLjAuMTo4MDgwEKCNBg==", Options{}, Affinity{Product: Envoy, Kind: KindNode, Node: "node1", Address: address("10.0.0.1:8080")}},
		"BIG-IP, documented":   {"BIGipServerpool", "1677787402.36895.0000", Options{}, Affinity{Product: BIGIP, Kind: KindNode, Node: "4", Address: address("10.1.1.100:8080")}},
		"BIG-IP, unlisted":     {"BIGipServerpool", "1677787402.20480.0000", Options{}, Affinity{Product: BIGIP, Kind: KindStable, Address: address("10.1.1.100:80")}},
		"BIG-IP, renamed":      {"lbcookie", "16777226.36895.0000", Options{}, Affinity{Product: BIGIP, Kind: KindNode, Node: "node1", Address: address("10.0.0.1:8080")}},
		"BIG-IP, IPv6":         {"BIGipServerpool", "vi20010112000000000000000000000030.20480", Options{}, Affinity{Product: BIGIP, Kind: KindNode, Node: "3", Address: address("[2001:112::30]:80")}},
		"BIG-IP, route domain": {"BIGipServerpool", "rd5o00000000000000000000ffffc0000201o80", Options{}, Affinity{Product: BIGIP, Kind: KindStable, Address: address("192.0.2.1:80")}},
		"BIG-IP, both":         {"BIGipServerpool", "rd3o20010112000000000000000000000030o80", Options{}, Affinity{Product: BIGIP, Kind: KindNode, Node: "3", Address: address("[2001:112::30]:80")}},
		"BIG-IP, encrypted":    {"BIGipServerpool", "!dGhpcyBpcyBlbmNyeXB0ZWQ=", Options{}, Affinity{Product: BIGIP, Kind: KindStable}},
		"Azure":                {"ARRAffinity", "5d41402abc4b2a76b9719d911017c592", Options{}, Affinity{Product: Azure, Kind: KindStable}},
		"Azure, SameSite":      {"ARRAffinitySameSite", "5d41402abc4b2a76b9719d911017c592", Options{}, Affinity{Product: Azure, Kind: KindStable}},
		"AWS":                  {"AWSALB", "node1", Options{}, Affinity{Product: AWS, Kind: KindRotating}},
		"AWS, application":     {"AWSALBAPP-0", "_remove_", Options{}, Affinity{Product: AWS, Kind: KindRotating}},
		"AWS, CORS":            {"AWSALBCORS", "05ef642f508b1e5b76612ddbd5f89a4c", Options{}, Affinity{Product: AWS, Kind: KindRotating}},
		"Google":               {"GCLB", "CLy5rMOHnJ_cAQ", Options{}, Affinity{Product: GoogleCloud, Kind: KindRotating}},
		"Spring":               {"SESSION", "N2U4MzgzYTQtMDgyYy00ZmZlLWE0YmMtYzQwZmQzMzYzYzVlLm5vZGUx", Options{}, Affinity{Product: Spring, Kind: KindNode, Node: "node1"}},
		"Spring, unlisted":     {"SESSION", "N2U4MzgzYTQtMDgyYy00ZmZlLWE0YmMtYzQwZmQzMzYzYzVlLm5vZGU5", Options{}, Affinity{Product: Spring, Kind: KindStable}},
		"Spring, no route":     {"SESSION", "N2U4MzgzYTQtMDgyYy00ZmZlLWE0YmMtYzQwZmQzMzYzYzVl", Options{}, Affinity{Product: Spring, Kind: KindNone}},
		"SESSION of another":   {"SESSION", "eyJhIjoxfQ.Zx1w.c2lnbmF0dXJl", Options{}, Affinity{Product: Application, Kind: KindNone}},
		"PHP":                  {"PHPSESSID", "el4ukv0kqbvoirg7nkp4dncpk3", Options{}, Affinity{Product: Application, Kind: KindNone}},
		"Express":              {"connect.sid", "s%3A4nd.c2lnbmF0dXJl", Options{}, Affinity{Product: Application, Kind: KindNone}},
		"ASP.NET":              {"ASP.NET_SessionId", "lit3py55t21z5v55vlm25s55", Options{}, Affinity{Product: Application, Kind: KindNone}},
		"a name, any cookie":   {"x", "tomcat1", Options{}, Affinity{Product: Unnamed, Kind: KindNode, Node: "node1"}},
		"configured, short":    {"x", "a", Options{Cookie: "x"}, Affinity{Product: Unnamed, Kind: KindNode, Node: "node1"}},
		"configured, unlisted": {"x", "c", Options{Cookie: "x"}, Affinity{Product: Unnamed, Kind: KindStable}},
		"configured, route":    {"x", "0123.b", Options{Cookie: "x"}, Affinity{Product: HTTPD, Kind: KindNode, Node: "node2"}},
	}
	for label, test := range tests {
		t.Run(label, func(t *testing.T) {
			got, ok := decode(test.name, test.value, cluster, test.opts)
			if !ok {
				t.Fatalf("decode(%q, %q) returns false, want %+v", test.name, test.value, test.want)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
				t.Errorf("decode(%q, %q) (-want +got):\n%s", test.name, test.value, diff)
			}
		})
	}
}

func TestDecodeUnknown(t *testing.T) {
	tests := map[string]struct{ name, value string }{
		"empty":                   {"JSESSIONID", ""},
		"oversized":               {"ROUTEID", ".tomcat1" + strings.Repeat(" ", maxCookie)},
		"an application's":        {"theme", "dark"},
		"a common word":           {"view", "a"},
		"a number":                {"page", "3"},
		"a number and a bar":      {"page", "3|4"},
		"a common suffix":         {"version", "1.3"},
		"a version":               {"version", "1.2.3"},
		"a version of BIG-IP's":   {"version", "1.2.0000x"},
		"no port":                 {"x", "16777226.0.0000"},
		"an address out of range": {"x", "4294967296.36895.0000"},
		"IPv6 cut short":          {"x", "vi2001.20480"},
		"base64 of a word":        {"x", "aGVsbG8="},
		"protobuf cut short":      {"x", "Cn8x"},
		"an address with a zone":  {"x", "W2ZlODA6OjElaGlkZGVuXTo4MA=="},
		"no name":                 {"", "x"},
	}
	for label, test := range tests {
		t.Run(label, func(t *testing.T) {
			if got, ok := decode(test.name, test.value, cluster, Options{}); ok {
				t.Errorf("decode(%q, %q) = %+v, want nothing", test.name, test.value, got)
			}
		})
	}
}

// The cookie was issued by HAProxy 2.6.12 for that server and key.
func TestDecodeDynamicCookie(t *testing.T) {
	servers := []Server{{ID: "node1", Address: "127.0.0.2:28472"}, {ID: "node2", Address: "localhost:28472"}}
	got, ok := decode("SRV", "c6d3308827e391b7", servers, Options{Secret: "s3cret"})
	if want := (Affinity{Product: HAProxy, Kind: KindNode, Node: "node1"}); !ok || got != want {
		t.Errorf("got %+v, %t, want %+v", got, ok, want)
	}
}

// A name that two servers share names neither.
func TestDecodeSharedName(t *testing.T) {
	servers := []Server{{ID: "node1", Names: []string{"tomcat"}}, {ID: "node2", Names: []string{"tomcat"}}, {ID: "node3", Names: []string{"tomcat"}}}
	got, ok := decode("JSESSIONID", "0123.tomcat", servers, Options{})
	if want := (Affinity{Product: HTTPD, Kind: KindStable}); !ok || got != want {
		t.Errorf("got %+v, %t, want %+v", got, ok, want)
	}
}

// A server is found by its URL alone, with the default port of its scheme.
func TestDecodeByURL(t *testing.T) {
	servers := []Server{{ID: "node1", URL: "https://10.0.0.1/"}, {ID: "node2", URL: "http://[2001:112::30]"}, {ID: "node3", URL: "::"}}
	for value, want := range map[string]string{
		md5Hex("10.0.0.1:443"):                     "node1",
		sha256Hex("https://10.0.0.1")[:16]:         "node1",
		sha256Hex("https://10.0.0.1/")[:16]:        "node1",
		"vi20010112000000000000000000000030.20480": "node2",
	} {
		if got, ok := decode("x", value, servers, Options{}); !ok || got.Node != want {
			t.Errorf("decode(%q) = %+v, %t, want %s", value, got, ok, want)
		}
	}
}

func TestNode(t *testing.T) {
	const node1, node2 = "05ef642f508b1e5b76612ddbd5f89a4c", "MTAuMC4wLjI6ODA4MA=="
	tests := map[string]struct {
		cookies map[string]string
		opts    Options
		node    string
		kind    Kind // "": unknown
	}{
		"none":                        {},
		"none with a node":            {cookies: map[string]string{"theme": "dark"}},
		"an address before a route":   {cookies: map[string]string{"JSESSIONID": "0123.tomcat2", "route": node1}, node: "node1", kind: KindNode},
		"a balancer before a route":   {cookies: map[string]string{"JSESSIONID": "0123.tomcat2", "SERVERID": "a"}, node: "node1", kind: KindNode},
		"a route before a name":       {cookies: map[string]string{"app": "node1", "JSESSIONID": "0123.tomcat2"}, node: "node2", kind: KindNode},
		"a node before an opaque one": {cookies: map[string]string{"ARRAffinity": "5d41", "JSESSIONID": "0123.tomcat2"}, node: "node2", kind: KindNode},
		"opaque before rotating":      {cookies: map[string]string{"AWSALB": "5d41", "ARRAffinity": "5d41"}, kind: KindStable},
		"rotating before none":        {cookies: map[string]string{"AWSALB": "5d41", "PHPSESSID": "5d41"}, kind: KindRotating},
		"none but a session":          {cookies: map[string]string{"PHPSESSID": "5d41"}, kind: KindNone},
		"two that agree":              {cookies: map[string]string{"JSESSIONID": "0123.tomcat2", "ROUTEID": ".tomcat2"}, node: "node2", kind: KindNode},
		"two that do not":             {cookies: map[string]string{"x": node1, "y": node2}},
		"two weak and a strong":       {cookies: map[string]string{"a": "node1", "b": "node2", "route": node1}, node: "node1", kind: KindNode},
		"a strong and two weak":       {cookies: map[string]string{"a": node1, "b": "node1", "c": "node2"}, node: "node1", kind: KindNode},
		"the configured one":          {cookies: map[string]string{"x": node1, "y": node2}, opts: Options{Cookie: "y"}, node: "node2", kind: KindNode},
		"not the configured one":      {cookies: map[string]string{"x": node1}, opts: Options{Cookie: "y"}},
	}
	for label, test := range tests {
		t.Run(label, func(t *testing.T) {
			got, ok := Node(test.cookies, cluster, test.opts)
			if ok != (test.kind != "") || got.Kind != test.kind || got.Node != test.node {
				t.Errorf("Node(%q) = %+v, %t, want node %q of kind %q", test.cookies, got, ok, test.node, test.kind)
			}
			label, labelled := Extractor(cluster, test.opts).Extract(probes.Document{Cookies: test.cookies})
			if label != test.node || labelled != (test.kind == KindNode) {
				t.Errorf("the extractor returns %q, %t, want %q", label, labelled, test.node)
			}
		})
	}
}

// The vectors are those with which implementations of xxHash are usually tested.
func TestXXH64(t *testing.T) {
	for text, want := range map[string]uint64{
		"":     0xef46db3751d8e999,
		"a":    0xd24ec4f1a98c6e5b,
		"as":   0x1c330fb2d66be179,
		"asd":  0x631c37ce72a97393,
		"asdf": 0x415872f599cea71e,
		"Call me Ishmael. Some years ago--never mind how long precisely-": 0x02a2e85470d6fd96,
	} {
		if got := xxh64([]byte(text)); got != want {
			t.Errorf("xxh64(%q) = %016x, want %016x", text, got, want)
		}
	}
}

// FuzzDecode: whatever a target sets, Decode does not panic, invents no node, and
// returns no part of the value.
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
		a, ok := decode(name, value, cluster, opts)
		switch {
		case !ok && a != Affinity{}:
			t.Errorf("%+v is returned with false", a)
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

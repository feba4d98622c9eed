package cookies

import (
	"slices"
	"strings"
	"testing"

	"stickwatch/probes"
)

var cluster = []Server{
	{ID: "node1", Address: "10.0.0.1:8080", Names: []string{"a", "tomcat1", "C.tomcat1"}, URL: "http://10.0.0.1:8080"},
	{ID: "node2", Address: "10.0.0.2:8080", Names: []string{"b", "tomcat2"}},
	{ID: "3", Address: "[2001:112::30]:80"},
	{ID: "4", Address: "10.1.1.100:8080"},
	{ID: "5", Address: "1.2.3.4:80"},
	{ID: "6", Address: "192.0.2.1:80"},
}

// decode returns the node that one cookie names.
func decode(name, value string, servers []Server, opts Options) string {
	return newNodeIndex(servers, opts).decode(name, value).node
}

// The hashes were computed with other programs, from "10.0.0.1:8080" and
// "http://10.0.0.1:8080".
func TestDecode(t *testing.T) {
	tests := map[string]struct {
		name, value string
		opts        Options
		want        string
	}{
		"nginx, md5":           {"srv_id", "05ef642f508b1e5b76612ddbd5f89a4c", Options{}, "node1"},
		"nginx, other name":    {"x", "05ef642f508b1e5b76612ddbd5f89a4c", Options{}, "node1"},
		"nginx, route=":        {"srv_id", "b", Options{}, "node2"},
		"nginx, unlisted":      {"route", "f2b4f2d7ff4e4ea5d5ae0a3a4ec6d7c1", Options{}, ""},
		"Tengine, maxidle":     {"route", "05ef642f508b1e5b76612ddbd5f89a4c|1732142400|1732142000", Options{}, "node1"},
		"Tengine, prefix":      {"PHPSESSID", "05ef642f508b1e5b76612ddbd5f89a4c~0123", Options{}, "node1"},
		"Tengine, plain":       {"route", "10.0.0.2:8080", Options{}, "node2"},
		"httpd":                {"ROUTEID", ".tomcat1", Options{}, "node1"},
		"httpd, short route":   {"ROUTEID", ".b", Options{}, "node2"},
		"httpd, any cookie":    {"app", "0123.tomcat2", Options{}, "node2"},
		"httpd, unlisted":      {"ROUTEID", ".tomcat9", Options{}, ""},
		"Tomcat":               {"JSESSIONID", "0123456789ABCDEF0123456789ABCDEF.tomcat2", Options{}, "node2"},
		"Tomcat, first dot":    {"JSESSIONID", "AB.C.tomcat2", Options{}, ""},
		"Tomcat, dotted route": {"JSESSIONID", "AB.C.tomcat1", Options{}, "node1"},
		"Tomcat, no route":     {"JSESSIONID", "0123456789ABCDEF0123456789ABCDEF", Options{}, ""},
		"MSM":                  {"JSESSIONID", "0123-n1.tomcat1", Options{}, "node1"},
		"HAProxy, insert":      {"SERVERID", "a", Options{}, "node1"},
		"HAProxy, maxidle":     {"SRV", "node1|awDAw|awDAw", Options{}, "node1"},
		"HAProxy, prefix":      {"JSESSIONID", "node1~0123.tomcat2", Options{}, "node1"},
		"HAProxy, no key":      {"SRV", "b0139f9bf96a2fae", Options{}, ""},
		"Caddy":                {"lb", "b4196dcae8d61f8cc61ed60f36aff96727f28ea6724a491eaaf6ed0b17f427ca", Options{}, "node1"},
		"Caddy, secret":        {"lb", "b0dfeb4f36fa8cda1bacd76ab8f220aff99a274d83c4a4c6b6cf685aa672591d", Options{Secret: "s3cret"}, "node1"},
		"Caddy, other secret":  {"lb", "b0dfeb4f36fa8cda1bacd76ab8f220aff99a274d83c4a4c6b6cf685aa672591d", Options{}, ""},
		"Traefik 3":            {"_1d52e", "cc3dd0c247d6ff41", Options{}, "node1"},
		"Traefik 2":            {"_1d52e", "b0139f9bf96a2faf", Options{}, "node1"},
		"Traefik 2, twice":     {"_1d52e", "4e414402b31ab6ea", Options{}, "node1"},
		"Traefik, URL":         {"_1d52e", "http://10.0.0.2:8080", Options{}, "node2"},
		"ingress, persistent":  {"INGRESSCOOKIE", "9809cb30f0cbee517e98ec6f00e4532e|4a1b", Options{Backend: "default-shop-80"}, "node1"},
		"ingress, no backend":  {"INGRESSCOOKIE", "9809cb30f0cbee517e98ec6f00e4532e|4a1b", Options{}, ""},
		"ingress, balanced":    {"INGRESSCOOKIE", "1594116325.643.41.158032|4a1b", Options{}, ""},
		"Envoy, documented":    {"sticky-host", `"MS4yLjMuNDo4MA=="`, Options{}, "5"},
		"Envoy":                {"sticky-host", "MTAuMC4wLjE6ODA4MA==", Options{}, "node1"},
		"Envoy, protobuf":      {"sticky-host", "Cg0xMC4wLjAuMTo4MDgwEKCNBg==", Options{}, "node1"},
		"BIG-IP, documented":   {"BIGipServerpool", "1677787402.36895.0000", Options{}, "4"},
		"BIG-IP, unlisted":     {"BIGipServerpool", "1677787402.20480.0000", Options{}, ""},
		"BIG-IP, renamed":      {"lbcookie", "16777226.36895.0000", Options{}, "node1"},
		"BIG-IP, IPv6":         {"BIGipServerpool", "vi20010112000000000000000000000030.20480", Options{}, "3"},
		"BIG-IP, route domain": {"BIGipServerpool", "rd5o00000000000000000000ffffc0000201o80", Options{}, "6"},
		"BIG-IP, both":         {"BIGipServerpool", "rd3o20010112000000000000000000000030o80", Options{}, "3"},
		"BIG-IP, encrypted":    {"BIGipServerpool", "!dGhpcyBpcyBlbmNyeXB0ZWQ=", Options{}, ""},
		"Azure":                {"ARRAffinity", "5d41402abc4b2a76b9719d911017c592", Options{}, ""},
		"Azure, SameSite":      {"ARRAffinitySameSite", "5d41402abc4b2a76b9719d911017c592", Options{}, ""},
		"AWS":                  {"AWSALB", "node1", Options{}, ""},
		"AWS, application":     {"AWSALBAPP-0", "_remove_", Options{}, ""},
		"AWS, CORS":            {"AWSALBCORS", "05ef642f508b1e5b76612ddbd5f89a4c", Options{}, ""},
		"Google":               {"GCLB", "CLy5rMOHnJ_cAQ", Options{}, ""},
		"Spring":               {"SESSION", "N2U4MzgzYTQtMDgyYy00ZmZlLWE0YmMtYzQwZmQzMzYzYzVlLm5vZGUx", Options{}, "node1"},
		"Spring, unlisted":     {"SESSION", "N2U4MzgzYTQtMDgyYy00ZmZlLWE0YmMtYzQwZmQzMzYzYzVlLm5vZGU5", Options{}, ""},
		"Spring, no route":     {"SESSION", "N2U4MzgzYTQtMDgyYy00ZmZlLWE0YmMtYzQwZmQzMzYzYzVl", Options{}, ""},
		"SESSION of another":   {"SESSION", "eyJhIjoxfQ.Zx1w.c2lnbmF0dXJl", Options{}, ""},
		"PHP":                  {"PHPSESSID", "el4ukv0kqbvoirg7nkp4dncpk3", Options{}, ""},
		"Express":              {"connect.sid", "s%3A4nd.c2lnbmF0dXJl", Options{}, ""},
		"ASP.NET":              {"ASP.NET_SessionId", "lit3py55t21z5v55vlm25s55", Options{}, ""},
		"a name, any cookie":   {"x", "tomcat1", Options{}, "node1"},
		"configured, short":    {"x", "a", Options{Cookie: "x"}, "node1"},
		"configured, unlisted": {"x", "c", Options{Cookie: "x"}, ""},
		"configured, route":    {"x", "0123.b", Options{Cookie: "x"}, "node2"},

		"empty":                   {"JSESSIONID", "", Options{}, ""},
		"oversized":               {"ROUTEID", ".tomcat1" + strings.Repeat(" ", maxCookie), Options{}, ""},
		"an application's":        {"theme", "dark", Options{}, ""},
		"a common word":           {"view", "a", Options{}, ""},
		"a number":                {"page", "3", Options{}, ""},
		"a number and a bar":      {"page", "3|4", Options{}, ""},
		"a common suffix":         {"version", "1.3", Options{}, ""},
		"a version":               {"version", "1.2.3", Options{}, ""},
		"a version of BIG-IP's":   {"version", "1.2.0000x", Options{}, ""},
		"no port":                 {"x", "16777226.0.0000", Options{}, ""},
		"an address out of range": {"x", "4294967296.36895.0000", Options{}, ""},
		"IPv6 cut short":          {"x", "vi2001.20480", Options{}, ""},
		"base64 of a word":        {"x", "aGVsbG8=", Options{}, ""},
		"protobuf cut short":      {"x", "Cn8x", Options{}, ""},
		"an address with a zone":  {"x", "W2ZlODA6OjElaGlkZGVuXTo4MA==", Options{}, ""},
		"no name":                 {"", "x", Options{}, ""},
	}
	for label, test := range tests {
		t.Run(label, func(t *testing.T) {
			if got := decode(test.name, test.value, cluster, test.opts); got != test.want {
				t.Errorf("decode(%q, %q) = %q, want %q", test.name, test.value, got, test.want)
			}
		})
	}
}

// The cookie was issued by HAProxy 2.6.12 for that server and key.
func TestDecodeDynamicCookie(t *testing.T) {
	servers := []Server{{ID: "node1", Address: "127.0.0.2:28472"}, {ID: "node2", Address: "localhost:28472"}}
	if got := decode("SRV", "c6d3308827e391b7", servers, Options{Secret: "s3cret"}); got != "node1" {
		t.Errorf("got %q, want node1", got)
	}
}

// A name that two servers share names neither.
func TestDecodeSharedName(t *testing.T) {
	servers := []Server{{ID: "node1", Names: []string{"tomcat"}}, {ID: "node2", Names: []string{"tomcat"}}, {ID: "node3", Names: []string{"tomcat"}}}
	if got := decode("JSESSIONID", "0123.tomcat", servers, Options{}); got != "" {
		t.Errorf("got %q, want none", got)
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
		if got := decode("x", value, servers, Options{}); got != want {
			t.Errorf("decode(%q) = %q, want %s", value, got, want)
		}
	}
}

func TestExtractor(t *testing.T) {
	const node1, node2 = "05ef642f508b1e5b76612ddbd5f89a4c", "MTAuMC4wLjI6ODA4MA=="
	tests := map[string]struct {
		cookies map[string]string
		opts    Options
		node    string
	}{
		"none":                        {},
		"none with a node":            {cookies: map[string]string{"theme": "dark"}},
		"an address before a route":   {cookies: map[string]string{"JSESSIONID": "0123.tomcat2", "route": node1}, node: "node1"},
		"a balancer before a route":   {cookies: map[string]string{"JSESSIONID": "0123.tomcat2", "SERVERID": "a"}, node: "node1"},
		"a route before a name":       {cookies: map[string]string{"app": "node1", "JSESSIONID": "0123.tomcat2"}, node: "node2"},
		"a node before an opaque one": {cookies: map[string]string{"ARRAffinity": "5d41", "JSESSIONID": "0123.tomcat2"}, node: "node2"},
		"opaque before rotating":      {cookies: map[string]string{"AWSALB": "5d41", "ARRAffinity": "5d41"}},
		"rotating before none":        {cookies: map[string]string{"AWSALB": "5d41", "PHPSESSID": "5d41"}},
		"none but a session":          {cookies: map[string]string{"PHPSESSID": "5d41"}},
		"two that agree":              {cookies: map[string]string{"JSESSIONID": "0123.tomcat2", "ROUTEID": ".tomcat2"}, node: "node2"},
		"two that do not":             {cookies: map[string]string{"x": node1, "y": node2}},
		"two weak and a strong":       {cookies: map[string]string{"a": "node1", "b": "node2", "route": node1}, node: "node1"},
		"a strong and two weak":       {cookies: map[string]string{"a": node1, "b": "node1", "c": "node2"}, node: "node1"},
		"the configured one":          {cookies: map[string]string{"x": node1, "y": node2}, opts: Options{Cookie: "y"}, node: "node2"},
		"not the configured one":      {cookies: map[string]string{"x": node1}, opts: Options{Cookie: "y"}},
	}
	for label, test := range tests {
		t.Run(label, func(t *testing.T) {
			label, labelled := Extractor(cluster, test.opts).Extract(probes.Document{Cookies: test.cookies})
			if label != test.node || labelled != (test.node != "") {
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

// FuzzDecode: whatever a target sets, decode does not panic and invents no node.
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
	ids := []string{"", "node1", "node2", "3", "4", "5", "6"}
	f.Fuzz(func(t *testing.T, name, value, configured string) {
		opts := Options{Cookie: configured, Secret: "s3cret", Backend: "default-shop-80"}
		if node := decode(name, value, cluster, opts); !slices.Contains(ids, node) {
			t.Errorf("%q is no listed node", node)
		}
	})
}

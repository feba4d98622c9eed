package config

import (
	"time"

	"stickwatch/probes"
)

// profiles are all profiles, in the order in which init tries them: pages that belong to
// one product before pages that any application may have, and generic first, whose page
// only applications made for stickwatch have.
//
// Methods are unknown unless the application's documentation requires one.
var profiles = []Profile{
	{
		Name: "generic", About: "any application with a test page that names node and session", Proof: ProofNode,
		defaults: wireCluster{
			Status: wireStatus{Path: new("/status")},
			Session: wireSession{
				Path:   new("/cluster/test"),
				Policy: string(probes.PolicySticky),
				Node:   &wireExtractor{Labels: oneOrMore{"node"}},
				ID:     &wireExtractor{Labels: oneOrMore{"session", "sessionid"}},
			},
		},
	},

	// Its cluster guide requires ip_hash and has no max_fails; the test page needs no login.
	{
		Name: "ebridge", About: "Weaver e-Bridge 云桥", Proof: ProofNode,
		defaults: wireCluster{
			Balancer: wireBalancer{
				Method:      string(probes.MethodIPHash),
				MaxFails:    new(1),
				FailTimeout: new(duration(10 * time.Second)),
			},
			Session: wireSession{
				Path:   new("/main/base/cluster/test"),
				Policy: string(probes.PolicySticky),
				Node:   &wireExtractor{Labels: oneOrMore{"当前节点", "node"}},
				ID:     &wireExtractor{Labels: oneOrMore{"会话", "sessionid"}},
			},
		},
	},

	// Strategy was MicroStrategy. ip_hash "is a must". It sets no cookie and has no id of
	// its own, so the process identifies a node: pid and start time.
	{
		Name: "strategy-collaboration", About: "Strategy Collaboration Server", Proof: ProofNode,
		defaults: wireCluster{
			Balancer:  wireBalancer{Method: string(probes.MethodIPHash)},
			Status:    wireStatus{Path: new("/status"), Settings: []string{"enableTls", "scaling", "logging"}},
			Handshake: wireHandshake{Path: new("/socket.io/")},
			Session: wireSession{
				Path:   new("/status"),
				Policy: string(probes.PolicySticky),
				Node: &wireExtractor{Join: []wireExtractor{
					{JSONPath: "$.main.pid"},
					{JSONPath: "$.main.up_since"},
				}},
			},
		},
	},

	// The route is the part after the first dot of the session id, as mod_proxy_balancer
	// reads it.
	{
		Name: "tomcat", About: "Tomcat with session replication", Proof: ProofID,
		defaults: wireCluster{Session: wireSession{
			Path:   new("/cluster/index.jsp"),
			Policy: string(probes.PolicyReplicated),
			Node:   &wireExtractor{Cookie: "JSESSIONID", After: "."},
			ID:     &wireExtractor{Cookie: "JSESSIONID", Before: oneOrMore{"."}},
			Write:  new("?key1={value}"),
			Read:   &wireExtractor{Regex: `key1\s*=\s*["']?([^\s<&"']+)`},
		}},
	},

	// It has no health endpoint: its operators check the application's root. Sessions are
	// in Redis.
	{
		Name: "huozige", About: "Huozige 活字格",
		defaults: wireCluster{
			Balancer: wireBalancer{MaxFails: new(30), FailTimeout: new(duration(20 * time.Second))},
			Session:  wireSession{Policy: string(probes.PolicyShared)},
			Pages:    []wirePage{{Path: "/"}},
		},
	},

	// Ids have the format ID-n1.tomcat1, where n1 is a memcached node: only the part before
	// both is constant. The node is in the page, in the format of the guide's test page, or
	// it is the route.
	{
		Name: "tomcat-msm", About: "Tomcat with memcached-session-manager", Proof: ProofStore,
		defaults: wireCluster{Session: wireSession{
			Path:   new("/index.jsp"),
			Policy: string(probes.PolicyShared),
			Node: &wireExtractor{First: []wireExtractor{
				{Labels: oneOrMore{"node", "SERVER", "route"}},
				{Regex: `(?i)this is tomcat server\s+([^\s<!]+)`},
				{Cookie: "JSESSIONID", After: "."},
			}},
			ID: &wireExtractor{Cookie: "JSESSIONID", Before: oneOrMore{"-", "."}},
			// The route is cut off first: it may contain a hyphen that is not followed
			// by a memcached node.
			Store: &wireExtractor{First: []wireExtractor{{Cookie: "JSESSIONID", Before: oneOrMore{"."}}}, After: "-"},
		}},
	},

	// The profiles below use a page of internal/docs/test-pages.md. Their cookies tell them
	// apart; those of Java differ in the format of JSESSIONID.

	// The JVM ids of the primary and the secondary server follow the id, each after a "!".
	// They change with every start, so they are no names.
	{
		Name: "weblogic", About: "Oracle WebLogic Server", FromDocs: true, Proof: ProofNode,
		Cookie: Cookie{Name: `^JSESSIONID$`, Value: `!`},
		defaults: testPage("/stickwatch-test.jsp", probes.PolicySticky,
			&wireExtractor{Cookie: "JSESSIONID", After: "!", Before: oneOrMore{"!"}},
			&wireExtractor{Cookie: "JSESSIONID", Before: oneOrMore{"!"}}),
	},
	// The cookie is four characters of the cache, the id, a colon and the clone id of the
	// server. The first four change when a session moves, so the cookie has no constant id.
	{
		Name: "websphere", About: "IBM WebSphere Application Server and Liberty", FromDocs: true, Proof: ProofNode,
		Cookie: Cookie{Name: `^JSESSIONID$`, Value: `^[0-9]{4}[^:.!]+:`},
		defaults: testPage("/stickwatch-test.jsp", probes.PolicySticky,
			&wireExtractor{Cookie: "JSESSIONID", After: ":", Before: oneOrMore{":"}}, nil),
	},
	// The route is Undertow's instance-id. With ranked affinity further servers follow.
	{
		Name: "wildfly", About: "WildFly and JBoss EAP", FromDocs: true, Proof: ProofNode,
		Cookie: Cookie{Name: `^JSESSIONID$`, Value: `^[A-Za-z0-9_-]{40}(\.|$)`},
		defaults: testPage("/stickwatch-test.jsp", probes.PolicySticky,
			&wireExtractor{Cookie: "JSESSIONID", After: ".", Before: oneOrMore{"."}},
			&wireExtractor{Cookie: "JSESSIONID", Before: oneOrMore{"."}}),
	},
	{
		Name: "tomcat-sticky", About: "Tomcat that keeps sessions in memory", Proof: ProofNode,
		Cookie: Cookie{Name: `^JSESSIONID$`},
		defaults: testPage("/stickwatch-test.jsp", probes.PolicySticky,
			&wireExtractor{Cookie: "JSESSIONID", After: "."},
			&wireExtractor{Cookie: "JSESSIONID", Before: oneOrMore{"."}}),
	},
	{
		Name: "spring-session", About: "Spring Boot with Spring Session", FromDocs: true, Proof: ProofNode,
		Cookie:   Cookie{Name: `^SESSION$`},
		defaults: testPage("/stickwatch-test", probes.PolicyShared, nil, &wireExtractor{Cookie: "SESSION"}),
	},
	{
		Name: "php", About: "PHP with sessions in files", Proof: ProofNode,
		Cookie:   Cookie{Name: `^PHPSESSID$`},
		defaults: testPage("/stickwatch-test.php", probes.PolicySticky, nil, &wireExtractor{Cookie: "PHPSESSID"}),
	},
	{
		Name: "express", About: "Express with express-session", Proof: ProofNode,
		Cookie:   Cookie{Name: `^connect\.sid$`},
		defaults: testPage("/stickwatch-test", probes.PolicySticky, nil, &wireExtractor{Cookie: "connect.sid"}),
	},
	// Sessions are in the database by default.
	{
		Name: "django", About: "Django", Proof: ProofNode,
		Cookie:   Cookie{Name: `^sessionid$`},
		defaults: testPage("/stickwatch-test", probes.PolicyShared, nil, &wireExtractor{Cookie: "sessionid"}),
	},
	// Each answer encrypts the cookie anew, so the cookie has no constant id.
	{
		Name: "rails", About: "Ruby on Rails", Proof: ProofNode,
		Cookie:   Cookie{Name: `^_[A-Za-z0-9_]*session(_id)?$`},
		defaults: testPage("/stickwatch-test", probes.PolicyShared, nil, nil),
	},
	// The cookies are encrypted with the keys of Data Protection, as antiforgery tokens
	// are: nodes that do not share these keys refuse both.
	{
		Name: "aspnet-core", About: "ASP.NET Core with sessions; for SignalR write handshake.path", FromDocs: true, Proof: ProofNode,
		Cookie: Cookie{Name: `^\.AspNetCore\.(Session$|Antiforgery\.)`},
		defaults: withHandshake(testPage("/stickwatch-test", probes.PolicyShared, nil,
			&wireExtractor{Cookie: ".AspNetCore.Session"}), probes.HandshakeSignalR),
	},
	{
		Name: "test-page", About: "any application with a page of internal/docs/test-pages.md", Proof: ProofNode,
		defaults: testPage("/stickwatch-test", probes.PolicySticky, nil, nil),
	},

	// A login page opens an authentication session, which every node finds in the distributed
	// caches. The route of the cookie is the node that owns the session, which may be another
	// than the one that answers, so no answer names its node.
	{
		Name: "keycloak", About: "Keycloak", FromDocs: true, Proof: ProofID,
		Cookie: Cookie{Name: `^AUTH_SESSION_ID$`},
		defaults: wireCluster{Session: wireSession{
			Path: new("/realms/master/protocol/openid-connect/auth?client_id=account-console&response_type=code&scope=openid&redirect_uri=/realms/master/account/" +
				"&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), // the challenge of RFC 7636, appendix B
			Policy: string(probes.PolicyShared),
			ID:     &wireExtractor{Cookie: "AUTH_SESSION_ID", Before: oneOrMore{"."}},
		}},
	},
	// One controller is active; the others are backup nodes. Its process names itself.
	{
		Name: "jenkins", About: "Jenkins and others of which one node is active: mark the others backup: true", FromDocs: true, Proof: ProofNode,
		Cookie: Cookie{Name: `^JSESSIONID\.[0-9a-f]+$`},
		defaults: wireCluster{
			Session: wireSession{
				Path:   new("/login"),
				Policy: string(probes.PolicySticky),
				Node:   &wireExtractor{Header: "X-Jenkins-Session"},
			},
			Version: &wireExtractor{Header: "X-Jenkins"},
		},
	},
}

// testPage returns the defaults of an application with a page of
// internal/docs/test-pages.md. node and id read an answer of another page, which shows
// them in the session cookie only; nil: no answer does.
func testPage(path string, policy probes.Policy, node, id *wireExtractor) wireCluster {
	return wireCluster{Session: wireSession{
		Path:   new(path),
		Policy: string(policy),
		Node:   firstOf("$.node", node),
		ID:     firstOf("$.session", id),
		Write:  new("?set={value}"),
		Read:   &wireExtractor{JSONPath: "$.value"},
	}}
}

// withHandshake sets the kind of handshakes, whose path only the application knows.
func withHandshake(w wireCluster, kind probes.HandshakeKind) wireCluster {
	w.Handshake.Kind = string(kind)
	return w
}

func firstOf(jsonPath string, other *wireExtractor) *wireExtractor {
	page := wireExtractor{JSONPath: jsonPath}
	if other == nil {
		return &page
	}
	return &wireExtractor{First: []wireExtractor{page, *other}}
}

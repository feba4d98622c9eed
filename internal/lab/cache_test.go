package lab

import (
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// cacheAll caches every answer including its cookies, as in a configuration that
// ignores the application's caching headers.
const cacheAll = `
        location / {
            proxy_pass http://cluster;
            proxy_cache pages;
            proxy_cache_valid 200 1m;
            proxy_ignore_headers Cache-Control Set-Cookie Expires Vary;
        }`

// cacheFirst caches only answers to requests without a cookie, which are those that
// open a session.
const cacheFirst = `
        location / {
            proxy_pass http://cluster;
            proxy_cache pages;
            proxy_cache_valid 200 1m;
            proxy_ignore_headers Cache-Control Set-Cookie Expires Vary;
            proxy_cache_bypass $http_cookie;
            proxy_no_cache $http_cookie;
        }`

// cached puts a caching nginx in front of a balancer.
func cached(f front, location string) front {
	behind := f.start
	f.start = func(tb testing.TB, nodes []*demo.Node, p plan) frontend {
		balancer := behind(tb, nodes, p)
		return Nginx(tb, NginxConfig{
			Servers: []Server{{Addr: must.URL(balancer.URL()).Host}}, Location: location,
			ExtraServers: "    proxy_cache_path cache keys_zone=pages:1m;",
		})
	}
	return f
}

// TestCacheBeforeTheBalancer: two independent clients get the same session.
func TestCacheBeforeTheBalancer(t *testing.T) {
	for _, f := range fronts {
		if !matchesAll(holdsAny, some)(f) && f.name != "nginx round robin" {
			continue
		}
		for name, location := range map[string]string{"every answer": cacheAll, "answers to new clients": cacheFirst} {
			for _, profile := range []string{"generic", "tomcat"} {
				t.Run(name+"/"+profile+"/"+f.name, func(t *testing.T) {
					t.Parallel()
					r := newRig(t, cached(f, location), plan{profile: profile, shared: true, policy: policyBehind(f)})
					judgeScenario(t, scenario{cause: cause{
						code: checks.SessionLeaked, mentions: []string{"proxy_ignore_headers|Cache-Control|nocache"},
					}}, r.probe())
				})
			}
		}
	}
}

// policyBehind returns the policy that can be expected behind f; "": the profile's.
func policyBehind(f front) probes.Policy {
	if f.sticky {
		return ""
	}
	return probes.PolicyShared
}

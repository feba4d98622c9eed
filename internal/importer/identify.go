package importer

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"stickwatch/internal/config"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// An answer is the result of the requests that identify the application of one node.
type answer struct {
	node    string
	failure phrase.Phrase   // reason why the node cannot be identified; zero: it can
	tried   []profileResult // of the profiles tried, in order
	status  bool            // it has a /status in JSON
	cookie  sessionCookie   // session cookie that a page set
}

// A profileResult is the result of trying a profile on a node.
type profileResult struct {
	profile string
	fits    bool
	why     phrase.Phrase // evidence for the profile, or what is missing
}

// A sessionCookie is an application's session cookie, with the page that set it.
type sessionCookie struct {
	name    string // "": unknown
	routed  bool   // the value ends with a dot and the node
	path    string // page that opened the session
	profile string // of the product whose cookie it is; "": unknown
}

// recognised returns the profile that fits; zero: none does.
func (a answer) recognised() profileResult {
	i := slices.IndexFunc(a.tried, func(p profileResult) bool { return p.fits })
	if i < 0 {
		return profileResult{}
	}
	return a.tried[i]
}

// identify requests the pages of each profile from a node until one fits; with all, it
// tries every profile.
func (c *candidate) identify(ctx context.Context, n node, all bool) answer {
	a := answer{node: n.ID}
	healthy := false             // a page answered without a server error
	pages := map[string]opened{} // by path: several profiles have the same
	for _, profile := range config.Profiles() {
		if profile.Path() == "" {
			continue
		}
		trial, err := singleNodeCluster(profile.Name, n)
		if err != nil {
			return answer{node: n.ID, failure: phrase.New("%s", phrase.Reason(err.Error()))}
		}
		found, known := pages[profile.Path()]
		if !known && trial.Status == nil { // a profile with a status endpoint is tried even if its page fails
			found = openPage(ctx, n, profile.Path())
			pages[profile.Path()] = found
		}
		if found.status >= http.StatusBadRequest {
			a.tried = append(a.tried, profileResult{profile: profile.Name, why: phrase.New("%s answers HTTP %d", withoutQuery(profile.Path()), found.status)})
			healthy = healthy || found.status < http.StatusInternalServerError
			continue
		}
		obs := probes.Direct(ctx, trial, trial.Nodes[0])
		if !obs.Primary.Answered() {
			return answer{node: n.ID, failure: phrase.New("%s", phrase.Reason(obs.Primary.Error))}
		}
		if !healthy && !obs.Primary.OK() {
			a.failure = phrase.New("HTTP %d", obs.Primary.Status)
		}
		healthy = healthy || obs.Primary.OK()
		a.status = a.status || profile.Name == "generic" && obs.Status != nil && obs.Primary.Status == http.StatusOK
		result := judgeFit(profile, trial.Session.Cookie, *obs.Session, found)
		if a.tried = append(a.tried, result); result.fits && !all {
			break
		}
	}
	if healthy {
		a.failure = phrase.Phrase{}
		if a.recognised() == (profileResult{}) {
			a.cookie = c.findSession(ctx, n)
		}
	}
	return a
}

// judgeFit reports whether an answer of a profile's session page is one of its
// application. cookie is the name of the session cookie that the profile reads.
func judgeFit(profile config.Profile, cookie string, session probes.Exchange, found opened) profileResult {
	path := withoutQuery(profile.Path())
	no := func(why phrase.Phrase) profileResult { return profileResult{profile: profile.Name, why: why} }
	switch {
	case session.Failure != "":
		return no(phrase.New("%s does not answer: %s", path, phrase.Reason(session.Error)))
	case session.Status != http.StatusOK:
		return no(phrase.New("%s answers HTTP %d", path, session.Status))
	case profile.Proof == config.ProofNode && session.Label == "":
		return no(phrase.New("%s does not name its node", path))
	case profile.Proof == config.ProofID && session.Session == "":
		return no(phrase.New("%s shows no session", path))
	case profile.Proof == config.ProofStore && session.Store == "":
		return no(phrase.New("%s does not name the store of the session", path))
	case profile.Cookie != (config.Cookie{}) && !slices.ContainsFunc(found.cookies, func(c *http.Cookie) bool { return profile.Cookie.Matches(c.Name, c.Value) }):
		return no(phrase.New("%s does not set its session cookie", path))
	}
	why := map[config.Proof]phrase.Phrase{
		config.ProofNode:  phrase.New("%s names its node", path),
		config.ProofID:    phrase.New("%s sets %s", path, cookie),
		config.ProofStore: phrase.New("%s sets a %s that names its store", path, cookie),
	}[profile.Proof]
	return profileResult{profile.Name, true, why}
}

func withoutQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}

// otherSessions match session cookies of products without a profile.
var otherSessions = regexp.MustCompile(`^(ASP\.NET_SessionId$|ASPSESSIONID|laravel_session$|JSESSIONID|CFID$|[A-Za-z0-9_-]{0,20}[Ss](ess|id)[A-Za-z0-9_-]{0,20}$)`)

const (
	maxCookieName = 63 // bytes
	minSessionID  = 16 // bytes of the shortest value that is taken for a session id
	maxPages      = 6  // that are tried for a session
)

// findSession requests pages of a node until one sets a session cookie.
func (c *candidate) findSession(ctx context.Context, n node) sessionCookie {
	for _, path := range c.sessionPages() {
		for _, cookie := range openPage(ctx, n, path).cookies {
			if len(cookie.Name) > maxCookieName || cookie.MaxAge < 0 {
				continue
			}
			found := sessionCookie{cookie.Name, cookie.Name == "JSESSIONID" && strings.Contains(cookie.Value, "."), path, ""}
			for _, profile := range config.Profiles() {
				if profile.Cookie.Matches(cookie.Name, cookie.Value) {
					found.profile = profile.Name
					return found
				}
			}
			if otherSessions.MatchString(cookie.Name) && len(cookie.Value) >= minSessionID {
				return found
			}
		}
	}
	return sessionCookie{}
}

// sessionPages returns pages that may open a session, and that the balancer passes to the
// nodes: those of the file, then the usual ones.
func (c *candidate) sessionPages() []string {
	var paths []string
	if page, ok := c.samplePage(); ok {
		paths = append(paths, page.path)
	}
	if c.base == (route{}) {
		for _, r := range c.site.routes {
			if r.taken.IsZero() && r.guess.IsZero() {
				paths = append(paths, r.path)
			}
		}
	}
	for _, usual := range slices.Concat([]string{"/", "/login"}, c.checks) {
		if strings.HasPrefix(usual, "/") && c.reaches(usual) {
			paths = append(paths, usual)
		}
	}
	var distinct []string
	for _, path := range paths {
		if !slices.Contains(distinct, path) && isValidPath(path) {
			distinct = append(distinct, path)
		}
	}
	return distinct[:min(len(distinct), maxPages)]
}

// opened is the answer of a page to a new client.
type opened struct {
	status  int            // 0: no answer
	cookies []*http.Cookie // set by it and by the pages that redirected to it
}

// openPage requests a page of a node, follows redirects within the node, and discards the
// body.
func openPage(ctx context.Context, n node, path string) opened {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	at, err := url.Parse(n.URL)
	if err != nil {
		return opened{}
	}
	client := probes.NewClient(probes.Target{URL: at, Host: n.Host, Wire: n.Protocol, Timeout: askTimeout})
	req, err := client.NewRequest(ctx, http.MethodGet, path)
	if err != nil {
		return opened{}
	}
	jar := &recordingJar{jar: probes.NewJar()}
	browser := http.Client{Transport: client.HTTP().Transport, Jar: jar, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if next.URL.Host != req.URL.Host || len(via) > maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	resp, err := browser.Do(req)
	if err != nil {
		return opened{}
	}
	resp.Body.Close()
	return opened{resp.StatusCode, jar.set}
}

const maxRedirects = 5

// A recordingJar is a cookie jar that records all cookies that answers set.
type recordingJar struct {
	jar *probes.Jar
	set []*http.Cookie
}

// SetCookies implements http.CookieJar.
func (j *recordingJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.set = append(j.set, cookies...)
	j.jar.Set(u, cookies)
}

// Cookies implements http.CookieJar.
func (j *recordingJar) Cookies(u *url.URL) []*http.Cookie { return j.jar.Cookies(u) }

// A ClusterFit says which profiles fit the nodes of a cluster.
type ClusterFit struct {
	Cluster string
	Fits    []Fit         // in the order of config.Profiles; nil: no node answered
	Failure phrase.Phrase // why there are none
	Session phrase.Phrase // page that sets a session cookie, and its name, if no profile fits
}

// A Fit says whether a profile fits the nodes.
type Fit struct {
	Profile string
	Fits    bool // at one node or more
	Why     phrase.Phrase
}

// Try requests the pages of all profiles from the nodes, and returns which fit.
func (imp *Import) Try(ctx context.Context) []ClusterFit {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	imp.discoverAll(ctx) // those that fail have no answers
	imp.identifyAll(ctx, true)
	var out []ClusterFit
	for _, candidate := range imp.candidates {
		clusterFit := ClusterFit{Cluster: candidate.name}
		if cookie := candidate.sessionCookie(); cookie.name != "" {
			clusterFit.Session = phrase.New("%s sets %s", cookie.path, cookie.name)
			if cookie.profile != "" {
				clusterFit.Session = phrase.New("%s, as %s does", clusterFit.Session, cookie.profile)
			}
		}
		for _, profile := range config.Profiles() {
			if profile.Path() != "" && candidate.answered() {
				clusterFit.Fits = append(clusterFit.Fits, candidate.fitOf(profile.Name))
			}
		}
		if !candidate.answered() {
			clusterFit.Failure = candidate.failures()
		}
		out = append(out, clusterFit)
	}
	return out
}

// failures returns why no node answered.
func (c *candidate) failures() phrase.Phrase {
	var list []phrase.Phrase
	for _, a := range c.answers {
		why := a.failure
		if !strings.HasPrefix(why.String(), a.node) { // an address, which names the node
			why = phrase.New("%s: %s", a.node, why)
		}
		list = append(list, why)
	}
	return phrase.Join(list, "; ")
}

// fitOf combines the answers of the nodes to a profile: the reasons of those where it
// fits, else of all, each once.
func (c *candidate) fitOf(profile string) Fit {
	var fitting, others []phrase.Phrase // reasons
	var nodes []string                  // where it fits
	answered := 0
	for _, a := range c.answers {
		if a.failure.IsZero() {
			answered++
		}
		for _, result := range a.tried {
			switch {
			case result.profile != profile:
			case result.fits:
				nodes = append(nodes, a.node)
				fitting = appendNew(fitting, result.why)
			default:
				others = appendNew(others, result.why)
			}
		}
	}
	switch {
	case len(nodes) == 0:
		return Fit{profile, false, phrase.Join(others, "; ")}
	case len(nodes) < answered:
		return Fit{profile, true, phrase.New("%s (only %s; %s)", phrase.Join(fitting, "; "), strings.Join(nodes, ", "), phrase.Join(others, "; "))}
	default:
		return Fit{profile, true, phrase.Join(fitting, "; ")}
	}
}

// appendNew appends a phrase unless the list has one of the same text.
func appendNew(list []phrase.Phrase, text phrase.Phrase) []phrase.Phrase {
	if slices.ContainsFunc(list, func(p phrase.Phrase) bool { return p.String() == text.String() }) {
		return list
	}
	return append(list, text)
}

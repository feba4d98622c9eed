package config

// The session test: how to open a session, and how to identify the node that answered. `policy: none` or `path: ""` disables the profile's.
type wireSession struct {
	// Path of a page that opens a session and shows it. "" disables the session test.
	Path *string `yaml:"path" check:"empty"`
	// What the system guarantees: sticky (a session stays on its node while that is healthy), shared (any node may answer), replicated (sticky, and the session survives its node), or none.
	Policy string `yaml:"policy" check:"oneof=policy"`
	// How long the application keeps an unused session. Idle canaries (30 s, 5 min, half of the timeout) detect sessions that are deleted earlier; none is idle for longer. Without it, 30m is assumed.
	Timeout *duration `yaml:"timeout"`
	// Where the answer identifies its node.
	Node *wireExtractor `yaml:"node"`
	// Where the answer shows the session id, without the route.
	ID *wireExtractor `yaml:"id"`
	// Where the answer shows the store of the session, as memcached-session-manager does in the session id.
	Store *wireExtractor `yaml:"store"`
	// Path that stores {value} in the session. A path that begins with ? is a query of the session's own path. Without it, canaries store no counter; "" disables the profile's.
	Write *string `yaml:"write" check:"empty"`
	// Where the session's page shows the stored value.
	Read *wireExtractor `yaml:"read"`
	// Character set of the pages, such as gbk, where they do not declare it.
	Charset string `yaml:"charset"`
	// How users log in, if a visitor has no session.
	Login *wireLogin `yaml:"login"`
}

// Where an answer contains a value: exactly one of cookie, header, regex, css, xpath, jsonpath, labels, balancer_cookie, first and join.
type wireExtractor struct {
	// Name of a cookie that the client holds after the answer.
	Cookie string `yaml:"cookie"`
	// Name of a response header.
	Header string `yaml:"header"`
	// Regular expression (RE2) on the body; its first group is the value.
	Regex string `yaml:"regex"`
	// CSS selector in an HTML body; the element's text is the value.
	CSS string `yaml:"css"`
	// XPath in an HTML body.
	XPath string `yaml:"xpath"`
	// JSONPath in a JSON body.
	JSONPath string `yaml:"jsonpath"`
	// Names by which the page labels the value, in HTML tables and lists, text or JSON, such as [当前节点, node].
	Labels oneOrMore `yaml:"labels"`
	// In session.node only: auto, or the name of a cookie in which the balancer stores the node by name, by address or as a hash of it. The extracted value is the node's id. It is the node that the balancer prefers, which may differ from the one that answered: where a page identifies the node, put that extractor first.
	BalancerCookie string `yaml:"balancer_cookie"`
	// With balancer_cookie: Caddy's secret of lb_policy cookie, or HAProxy's dynamic-cookie-key.
	Secret Secret `yaml:"secret"`
	// File with the secret. Relative to the configuration file.
	SecretFile string `yaml:"secret_file"`
	// With balancer_cookie: the name of the backend in ingress-nginx, NAMESPACE-SERVICE-PORT.
	Backend string `yaml:"backend"`
	// Extractors that are tried in order; the first value found is used.
	First []wireExtractor `yaml:"first"`
	// Extractors whose values are joined by /; all must be found.
	Join []wireExtractor `yaml:"join"`
	// With css: the attribute with the value.
	Attr string `yaml:"attr"`
	// Keep the part before the first occurrence of this text, or of any text in a list; the whole value if there is none.
	Before oneOrMore `yaml:"before"`
	// Keep the part after the first occurrence of this text; without it there is no value.
	After string `yaml:"after"`
	// Character set of the page, such as gbk, where it does not declare it.
	Charset string `yaml:"charset"`
}

// The nodes' status endpoint: JSON with state, reason and version.
type wireStatus struct {
	// Its path. "" disables the profile's.
	Path *string `yaml:"path" check:"empty"`
	// Top-level keys that must be equal on all nodes.
	Settings []string `yaml:"settings"`
}

// A page that is checked by HTTP status.
type wirePage struct {
	// Its path, with an optional query.
	Path string `yaml:"path" check:"required"`
	// Expected status, such as 200, or a range. Default 200-399.
	Status *statusRange `yaml:"status"`
}

// The endpoint of a protocol that connects in several requests, which must reach one node: Engine.IO (socket.io) or SignalR.
type wireHandshake struct {
	// Its path; of SignalR that of the hub. "" disables the profile's.
	Path *string `yaml:"path" check:"empty"`
	// Its protocol. Default engine.io. signalr is written from its specification and was not tried with ASP.NET.
	Kind string `yaml:"kind" check:"oneof=kind"`
}

// A service that the nodes depend on.
type wireDependency struct {
	// Its name in the nodes' status endpoints.
	Name string `yaml:"name" check:"required"`
	// Its address: redis://, rediss://, redis+sentinel://, mysql://, postgres://, memcached://, tcp://, http:// or https://, with user and password if required. redis+sentinel://HOST:26379/PRIMARY?sentinel=HOST:26379 asks Redis Sentinel (each parameter sentinel is another one) which server is the primary now, so that a failover is no outage. If a server requests the password in clear text, it is sent to PostgreSQL only with ?require_auth=password or ?sslmode=verify-full, and to memcached only with ?allowCleartextPasswords=true.
	URL string `yaml:"url"`
	// File with the address, if it contains a password. Relative to the configuration file.
	URLFile string `yaml:"url_file"`
}

// A oneOrMore is a list of texts that the file may write as a single text.
type oneOrMore []string

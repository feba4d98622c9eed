package config

// The session test: how to open a session and to read who answered. `policy: none` or `path: ""` switches off the profile's.
type wireSession struct {
	// Path of a page that opens a session, and that tells of it. "" switches the session test off.
	Path *string `yaml:"path" check:"empty"`
	// What users were promised: sticky (a session stays on its node while that is healthy), shared (any node may answer), replicated (sticky, and the session survives its node), or none.
	Policy string `yaml:"policy" check:"oneof=policy"`
	// For how long the application keeps a session that nobody uses. Canaries that pause (30 s, 5 min, half of it) notice sessions that are thrown away earlier; none pauses for longer. Left out, 30m is assumed.
	Timeout *duration `yaml:"timeout"`
	// Where the answer tells which node gave it.
	Node *wireExtractor `yaml:"node"`
	// Where the answer tells the session's id, without the route in it.
	ID *wireExtractor `yaml:"id"`
	// Where the answer tells which store holds the session, as memcached-session-manager does in the session's id.
	Store *wireExtractor `yaml:"store"`
	// Path that stores {value} in the session; one that begins with ? is the session's own path with that query. Left out, canaries hold no counter.
	Write string `yaml:"write"`
	// Where the session's page shows the stored value.
	Read *wireExtractor `yaml:"read"`
	// Character set of the pages, such as gbk, where they do not declare it.
	Charset string `yaml:"charset"`
}

// Where an answer tells a value: exactly one of cookie, header, regex, css, xpath, jsonpath, labels, balancer_cookie, first and join.
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
	// In session.node only: auto, or the name of a cookie in which the balancer itself keeps the node, as it is called in the balancer's file, as its address or as a hash of it; the value is the node's id. It is the node that the balancer wants, which may not be the one that answered: where a page tells, put that first.
	BalancerCookie string `yaml:"balancer_cookie"`
	// With balancer_cookie: Caddy's secret of lb_policy cookie, or HAProxy's dynamic-cookie-key.
	Secret Secret `yaml:"secret"`
	// File with the secret; a relative path starts at the configuration file.
	SecretFile string `yaml:"secret_file"`
	// With balancer_cookie: what ingress-nginx calls the backend, NAMESPACE-SERVICE-PORT.
	Backend string `yaml:"backend"`
	// Extractors to try in turn; the first value found counts.
	First []wireExtractor `yaml:"first"`
	// Extractors whose values make up one, joined by /; all must be found.
	Join []wireExtractor `yaml:"join"`
	// With css: the attribute that has the value.
	Attr string `yaml:"attr"`
	// Keep what stands before the first of this text, or of any of a list; all of the value where it has none.
	Before oneOrMore `yaml:"before"`
	// Keep what stands after the first of this text; a value without it is none.
	After string `yaml:"after"`
	// Character set of the page, such as gbk, where it does not declare it.
	Charset string `yaml:"charset"`
}

// The nodes' status endpoint: JSON with state, reason and version.
type wireStatus struct {
	// Its path. "" switches off the profile's.
	Path *string `yaml:"path" check:"empty"`
	// Top-level keys that must be equal on all nodes.
	Settings []string `yaml:"settings"`
}

// A page judged by its HTTP status.
type wirePage struct {
	// Its path, with a query if need be.
	Path string `yaml:"path" check:"required"`
	// Status it must answer with, such as 200, or a range. Default 200-399.
	Status *statusRange `yaml:"status"`
}

// The Engine.IO (socket.io) endpoint.
type wireHandshake struct {
	// Its path. "" switches off the profile's.
	Path *string `yaml:"path" check:"empty"`
}

// A service that the nodes need.
type wireDependency struct {
	// Its name, as the nodes' status endpoints call it.
	Name string `yaml:"name" check:"required"`
	// Its address: redis://, rediss://, mysql://, postgres://, memcached://, tcp://, http:// or https://, with user and password if need be. Where a server asks for the password in clear, it is sent to PostgreSQL only with ?require_auth=password or ?sslmode=verify-full, and to memcached only with ?allowCleartextPasswords=true.
	URL string `yaml:"url"`
	// File with the address, where that has a password; a relative path starts at the configuration file.
	URLFile string `yaml:"url_file"`
}

// A oneOrMore is a list of texts that the file may write as a single text.
type oneOrMore []string

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

// What stickwatch adds to each of its requests, directly to the nodes and through the balancer, also to those for status pages. It is sent to no other host, and shown nowhere.
type wireRequest struct {
	// Headers by name, such as X-Monitor: stickwatch.
	Headers headers `yaml:"headers"`
	// Credentials of HTTP basic authentication.
	BasicAuth *wireBasicAuth `yaml:"basic_auth"`
	// Token of the header Authorization: Bearer.
	BearerToken Secret `yaml:"bearer_token"`
	// File with the token. Relative to the configuration file.
	BearerTokenFile string `yaml:"bearer_token_file"`
	// PEM file with the certificate that stickwatch presents to https addresses (mTLS), followed by intermediate ones. Relative to the configuration file.
	ClientCertFile string `yaml:"client_cert_file"`
	// PEM file with the key of client_cert_file, without a passphrase. Relative to the configuration file.
	ClientKeyFile string `yaml:"client_key_file"`
}

// Credentials of HTTP basic authentication.
type wireBasicAuth struct {
	// The user name.
	Username string `yaml:"username" check:"required"`
	// The password.
	Password Secret `yaml:"password"`
	// File with the password. Relative to the configuration file.
	PasswordFile string `yaml:"password_file"`
}

// How users log in, for applications whose sessions begin with that. Canaries then log in as one account, which should be used for nothing else, and a session is lost when logged_in finds nothing any more. Passwords are sent through the balancer only, and to no other host.
type wireLogin struct {
	// Path of the page with the login form, which may be that of the session. With json and without csrf: the path that the object is sent to.
	Path string `yaml:"path"`
	// The form: what stickwatch fills in. Hidden fields of the page are sent along.
	Form *wireLoginForm `yaml:"form"`
	// A JSON object that is sent instead of a form.
	JSON *wireLoginForm `yaml:"json"`
	// Several forms or objects, one after the other, instead of path, form and json.
	Steps []wireLoginStep `yaml:"steps"`
	// What only a logged-in user finds on the session's page, such as the link for logging out: {css: "#logout"}. An element counts even without text.
	LoggedIn *wireExtractor `yaml:"logged_in" check:"required"`
	// Path that logs out. It is requested when a canary is given up: at the end of probe, when serve stops or replaces a canary. Where it takes a POST, the form for it is sent that the answer or the session's page has.
	Logout string `yaml:"logout"`
	// Most logins in an hour, from 2 to 1000. Default 60. After a refused one, stickwatch waits 30 minutes, then twice as long each time, so that the account is not locked.
	PerHour *int `yaml:"per_hour"`
}

// One step of a login.
type wireLoginStep struct {
	// Path of the page with the form. Without it, the page that the step before led to.
	Path string `yaml:"path"`
	// The form.
	Form *wireLoginForm `yaml:"form"`
	// A JSON object that is sent instead of a form.
	JSON *wireLoginForm `yaml:"json"`
}

// What is filled in and sent.
type wireLoginForm struct {
	// Name of the account.
	User string `yaml:"user"`
	// Its password.
	Password Secret `yaml:"password"`
	// File with the password. Relative to the configuration file.
	PasswordFile string `yaml:"password_file"`
	// Name of the field for the user. Default: the text field before the password; in JSON username.
	UserField string `yaml:"user_field"`
	// Name of the field for the password. Default: the first password field; in JSON password.
	PasswordField string `yaml:"password_field"`
	// Further fields by name, such as remember: "1".
	Fields headers `yaml:"fields"`
	// Path that it is sent to. Default: the form's own; in JSON path.
	Action string `yaml:"action"`
	// Where the page has a token against cross-site requests, if it is not a hidden field: a cookie, a meta tag. The page must have it.
	CSRF *wireExtractor `yaml:"csrf"`
	// Request header that carries the token, such as X-XSRF-TOKEN.
	CSRFHeader string `yaml:"csrf_header"`
	// Field that carries the token.
	CSRFField string `yaml:"csrf_field"`
}

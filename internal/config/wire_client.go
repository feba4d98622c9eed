package config

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

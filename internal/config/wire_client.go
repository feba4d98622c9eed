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

package config

// The structs of this file and of wire_*.go are stickwatch.yml. Their comments
// are its manual: the JSON Schema is made from them. Zero values, and nil where
// zero would say something, are keys that the file leaves out.

// A stickwatch configuration: clusters to watch, and whom to tell.
type wireFile struct {
	// Address on which `serve` answers, host:port. Default 127.0.0.1:9748.
	Listen string `yaml:"listen"`
	// Where the past is kept.
	History wireHistory `yaml:"history"`
	// The clusters to watch.
	Clusters []wireCluster `yaml:"clusters" check:"required"`
	// Who is told of incidents, and when.
	Alerting wireAlerting `yaml:"alerting"`
	// Windows of time in which nobody is told.
	Maintenance []wireMaintenance `yaml:"maintenance"`
	// How often `serve` probes each cluster that does not say otherwise.
	Intervals wireIntervals `yaml:"intervals"`
	// How many rounds it takes to believe that something changed.
	Damping wireDamping `yaml:"damping"`
}

// Where the past is kept.
type wireHistory struct {
	// SQLite file, such as sqlite:/var/lib/stickwatch.db; a relative path starts in the working directory. Default sqlite:stickwatch.db.
	URL string `yaml:"url"`
	// How long the past is kept. Default 400d.
	Retention *duration `yaml:"retention"`
	// How large the file may grow, in B, KB, MB, GB or TB, or KiB, MiB, GiB or TiB. Beyond that the oldest details give way before their time: single probes first, then sums by minute, by hour, by day. 0: no bound. Default 4GB.
	MaxSize *size `yaml:"max_size"`
}

// How often `serve` probes. An interval longer than the balancer's fail_timeout misses short ejections.
type wireIntervals struct {
	// Each canary's next request. Default 3s.
	Canary *duration `yaml:"canary"`
	// Every node and every address of the balancer. Default 15s.
	Status *duration `yaml:"status"`
	// The pages. Default 15s.
	Pages *duration `yaml:"pages"`
	// The dependencies. Default 15s.
	Dependencies *duration `yaml:"dependencies"`
}

// How many rounds it takes to believe that something changed. While something waits to be believed, the next round comes at the next canary's.
type wireDamping struct {
	// Rounds in a row that must see what one lost packet can bring about, such as a node that does not answer. Default 2.
	Appear *int `yaml:"appear"`
	// Rounds in a row that must miss a finding before it is over. Default 2.
	Vanish *int `yaml:"vanish"`
}

// One application behind one balancer. Its profile fills in what is left out here.
type wireCluster struct {
	// Name of the cluster; no other cluster has it.
	Name string `yaml:"name" check:"required"`
	// What the application is; decides what is probed where the file is silent. Default generic.
	Profile string `yaml:"profile" check:"oneof=profile"`
	// What clients talk to.
	Balancer wireBalancer `yaml:"balancer" check:"required"`
	// The application servers, in the order of the balancer's own file: hashing depends on it.
	Nodes []wireNode `yaml:"nodes" check:"required"`
	// How to open a session and to read who answered.
	Session wireSession `yaml:"session"`
	// The nodes' status endpoint.
	Status wireStatus `yaml:"status"`
	// Pages judged by their HTTP status, asked of every node and through the balancer. An empty list asks for none, whatever the profile says.
	Pages []wirePage `yaml:"pages"`
	// The Engine.IO (socket.io) endpoint.
	Handshake wireHandshake `yaml:"handshake"`
	// Services that the nodes need.
	Dependencies []wireDependency `yaml:"dependencies"`
	// Where a node's primary page tells the application's version.
	Version *wireExtractor `yaml:"version"`
	// How certificates of https addresses are checked.
	TLS wireTLS `yaml:"tls"`
	// Longest wait for an answer, from name resolution to its last byte. Default 5s.
	Timeout *duration `yaml:"timeout"`
	// An answer that takes longer is slow; 0s: none is. Default 2s.
	Slow *duration `yaml:"slow"`
	// The most by which clocks of two nodes may differ. Default 5s.
	ClockSkew *duration `yaml:"clock_skew"`
	// A certificate that expires sooner is told. Default 14d.
	CertificateExpiry *duration `yaml:"certificate_expiry"`
	// How many requests stickwatch sends to one node at most.
	Budget wireBudget `yaml:"budget"`
	// How often this cluster is probed; what is left out is as in the intervals of all clusters.
	Intervals wireIntervals `yaml:"intervals"`
}

// How many requests stickwatch sends to one node at most, directly and through the balancer together. A node that answers slowly or queues requests gets fewer. A request through the balancer that may arrive at any node counts at every node until its answer names one. Retries count, too: with a small budget a picture takes longer, and the times of an outage are known less exactly.
type wireBudget struct {
	// Requests a second, from 1 to 1000; a node that was left alone may get those of half a second at once. Default 20.
	RequestsPerSecond *int `yaml:"requests_per_second"`
	// Requests in flight at the same time, from 1 to 100. Default 4.
	Concurrent *int `yaml:"concurrent"`
}

// What clients talk to.
type wireBalancer struct {
	// Address, http:// or https://, or a list of them. Each, and each address its host name resolves to, is probed as a balancer of its own.
	URL oneOrMore `yaml:"url" check:"required"`
	// How the balancer chooses a node for a new client. Default unknown, or what the profile's documents require.
	Method string `yaml:"method" check:"oneof=method"`
	// What `hash` hashes: $remote_addr, $http_NAME or $cookie_NAME. Leave it out for any other key.
	HashKey string `yaml:"hash_key"`
	// Whether `hash` has the parameter consistent.
	Consistent bool `yaml:"consistent"`
	// Failures before a node is ejected; 0 turns ejection off. Default 1, as in nginx.
	MaxFails *int `yaml:"max_fails" check:"min=0"`
	// How long an ejected node stays out; whole seconds. Default 10s, as in nginx.
	FailTimeout *duration `yaml:"fail_timeout"`
	// Request header from which the balancer takes the client's address (nginx: real_ip_header, with set_real_ip_from for this prober only).
	ClientIPHeader string `yaml:"client_ip_header"`
	// What the balancer itself tells about its nodes.
	Evidence wireEvidence `yaml:"evidence"`
}

// What the balancer itself tells about its nodes: files of this machine, and addresses that only it should be able to read.
type wireEvidence struct {
	// Path of nginx's error log; it needs the level warn to tell of ejections.
	NginxErrorLog string `yaml:"nginx_error_log"`
	// Address of HAProxy's statistics page, without ;csv.
	HAProxyStats string `yaml:"haproxy_stats"`
	// Address of httpd's server-status, with ProxyStatus On.
	ApacheStatus string `yaml:"apache_status"`
	// Address of httpd's balancer-manager; only ever read.
	ApacheBalancerManager string `yaml:"apache_balancer_manager"`
	// Address of Caddy's admin API.
	CaddyAdmin string `yaml:"caddy_admin"`
}

// One application server, as it can be asked directly.
type wireNode struct {
	// Id of the node, without spaces; no other node of the cluster has it.
	ID string `yaml:"id" check:"required"`
	// Address at which the node itself answers, http:// or https://.
	URL string `yaml:"url" check:"required"`
	// Host header and TLS name to ask it with. Default: the host of its address.
	Host string `yaml:"host"`
	// How the node calls itself, where that is not its id. Left out, it is learnt by asking the node.
	Label string `yaml:"label"`
	// Its name in the balancer's own server line. Default: host:port of its address.
	Server string `yaml:"server"`
	// Its weight in the balancer's file. Default 1.
	Weight int `yaml:"weight" check:"min=1"`
	// Whether the balancer's file marks it down: it keeps its share of the hash, and gets no client.
	Down bool `yaml:"down"`
	// Whether it gets clients only when no other node is left.
	Backup bool `yaml:"backup"`
	// Whether it must be started before the others.
	Primary bool `yaml:"primary"`
}

// How https addresses are checked.
type wireTLS struct {
	// PEM file of the authorities to trust instead of the system's; a relative path starts at the configuration file.
	CAFile string `yaml:"ca_file"`
	// Whether any certificate will do.
	SkipVerify bool `yaml:"skip_verify"`
}

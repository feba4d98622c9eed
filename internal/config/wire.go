package config

// The structs of this file and of wire_*.go describe stickwatch.yml. The JSON Schema and the
// documentation are generated from their comments. Zero values, and nil where zero is a valid
// value, are keys that the file does not have.

// A stickwatch configuration: clusters to monitor, and receivers of notifications.
type wireFile struct {
	// Listen address of `serve`, host:port. Default 127.0.0.1:9748.
	Listen string `yaml:"listen"`
	// Where history is stored.
	History wireHistory `yaml:"history"`
	// Shares the clusters out to several instances of `serve` with the same history, which is in PostgreSQL.
	Fleet *wireFleet `yaml:"fleet"`
	// The clusters to monitor.
	Clusters []wireCluster `yaml:"clusters" check:"required"`
	// Who is notified of incidents, and when.
	Alerting wireAlerting `yaml:"alerting"`
	// Maintenance windows without notifications.
	Maintenance []wireMaintenance `yaml:"maintenance"`
	// A request that `serve` sends while it does its work, so that another service notices when it stops.
	Heartbeat *wireHeartbeat `yaml:"heartbeat"`
	// Links to other tools on the pages of clusters and incidents.
	Links []wireLink `yaml:"links"`
	// How often `serve` probes a cluster without intervals of its own.
	Intervals wireIntervals `yaml:"intervals"`
	// How many rounds confirm a change.
	Damping wireDamping `yaml:"damping"`
}

// A GET request to a service such as healthchecks.io, which notifies you when it is missing. It is sent only while every cluster is probed, stickwatch itself is able to probe, and notifications are delivered.
type wireHeartbeat struct {
	// Address of the check, http:// or https://.
	URL Secret `yaml:"url"`
	// File with the address. Relative to the configuration file.
	URLFile string `yaml:"url_file"`
	// Time between two requests, from 10s to 1h. Default 1m.
	Interval *duration `yaml:"interval"`
}

// A link to another tool, such as Grafana, logs or a runbook. It is shown on the pages that have a value for each of its placeholders.
type wireLink struct {
	// Text of the link.
	Name string `yaml:"name" check:"required"`
	// Address, http:// or https://. Placeholders in its path, query and fragment: {cluster}, {from} and {to} (milliseconds since 1970), and for an incident {incident}, {code} and {node}.
	URL string `yaml:"url" check:"required"`
}

// Where history is stored.
type wireHistory struct {
	// SQLite file, such as sqlite:/var/lib/stickwatch.db; a relative path starts in the working directory. Or a database of PostgreSQL 15 or newer, such as postgres://stickwatch@db/stickwatch, with the parameters of psql: sslmode, sslrootcert, sslcert, sslkey, search_path. Without sslmode, a database on another host must prove its identity with TLS. Default sqlite:stickwatch.db.
	URL string `yaml:"url"`
	// File with the password of the database. Relative to the configuration file.
	PasswordFile string `yaml:"password_file"`
	// How long history is kept. Default 400d.
	Retention *duration `yaml:"retention"`
	// Maximum size of the file, or of the tables in PostgreSQL, in B, KB, MB, GB or TB, or KiB, MiB, GiB or TiB. When it is reached, the oldest details are deleted early: single probes first, then sums by minute, by hour, by day. 0: no limit. Default 4GB; 20GB in PostgreSQL.
	MaxSize *size `yaml:"max_size"`
}

// An instance of `serve` that shares its history and its clusters with others. Each cluster is watched by one of them, and another one takes over within 10 seconds when it fails.
type wireFleet struct {
	// Name of this instance, different for each; usually an environment variable such as ${HOSTNAME}. Default the host name.
	Instance string `yaml:"instance"`
	// Where this instance is, shown beside its name. Instances of a site watch the clusters that name it under sites.
	Site string `yaml:"site"`
	// File with a key, which its owner may read, and its group as with secrets of Docker and Kubernetes (mode 0600 or 0440), and nobody else: 32 random bytes in hexadecimal or base64, such as openssl rand -hex 32 writes. With the same key at all instances, the one that takes a cluster over continues its sessions: they are in the database, encrypted. The first line encrypts; further ones, the keys before, only decrypt. Relative to the configuration file. Default: no session is stored, and the instance opens new ones.
	KeyFile string `yaml:"key_file"`
}

// How often `serve` probes. An interval longer than the balancer's fail_timeout misses short ejections.
type wireIntervals struct {
	// Time between two requests of a canary. Default 3s.
	Canary *duration `yaml:"canary"`
	// Interval for every node and every address of the balancer. Default 15s.
	Status *duration `yaml:"status"`
	// Interval for the pages. Default 15s.
	Pages *duration `yaml:"pages"`
	// Interval for the dependencies. Default 15s.
	Dependencies *duration `yaml:"dependencies"`
}

// How many rounds confirm a change. While a change is unconfirmed, rounds follow at the interval of canaries.
type wireDamping struct {
	// Consecutive rounds that must show a finding which a single lost packet can cause, such as a node that does not answer. Default 2.
	Appear *int `yaml:"appear"`
	// Consecutive rounds without a finding before it is resolved. Default 2.
	Vanish *int `yaml:"vanish"`
}

// One application behind one balancer. Its profile provides defaults for the keys that are not set.
type wireCluster struct {
	// Unique name of the cluster.
	Name string `yaml:"name" check:"required"`
	// The application, which determines the defaults. Default generic.
	Profile string `yaml:"profile" check:"oneof=profile"`
	// The balancer that clients connect to.
	Balancer wireBalancer `yaml:"balancer" check:"required"`
	// The application servers, in the order of the balancer's configuration, because hashes depend on it. Required without nodes_from.
	Nodes []wireNode `yaml:"nodes" check:"or=nodes_from"`
	// Where further nodes are found, which come and go.
	NodesFrom *wireNodesFrom `yaml:"nodes_from"`
	// How to open a session, and how to identify the node that answered.
	Session wireSession `yaml:"session"`
	// The nodes' status endpoint.
	Status wireStatus `yaml:"status"`
	// Pages that are checked by HTTP status, at every node and through the balancer. An empty list disables those of the profile.
	Pages []wirePage `yaml:"pages"`
	// The Engine.IO (socket.io) endpoint.
	Handshake wireHandshake `yaml:"handshake"`
	// Services that the nodes need.
	Dependencies []wireDependency `yaml:"dependencies"`
	// Where a node's primary page shows the application's version.
	Version *wireExtractor `yaml:"version"`
	// What stickwatch adds to each of its requests: headers, credentials, a client certificate.
	Request wireRequest `yaml:"request"`
	// How certificates of https addresses are verified.
	TLS wireTLS `yaml:"tls"`
	// Time limit for an answer, from name resolution to its last byte. Default 5s.
	Timeout *duration `yaml:"timeout"`
	// An answer that takes longer is reported as slow; 0s disables the check. Default 2s.
	Slow *duration `yaml:"slow"`
	// Maximum difference between the clocks of two nodes. Default 5s.
	ClockSkew *duration `yaml:"clock_skew"`
	// A certificate that expires sooner is reported. Default 14d.
	CertificateExpiry *duration `yaml:"certificate_expiry"`
	// Maximum number of requests that stickwatch sends to one node.
	Budget wireBudget `yaml:"budget"`
	// How often this cluster is probed; defaults are the intervals of all clusters.
	Intervals wireIntervals `yaml:"intervals"`
	// In a fleet: the sites (fleet.site) from which this cluster is watched, by one instance each. What more than half of them see is a finding. Default: it is watched by one instance, wherever that is.
	Sites []string `yaml:"sites"`
}

// Maximum number of requests that stickwatch sends to one node, directly and through the balancer together. A node that answers slowly or queues requests gets fewer. A request through the balancer that may reach any node counts for every node until its answer identifies one. Retries count as well: with a small budget a round takes longer, and the times of an outage are less exact.
type wireBudget struct {
	// Requests per second, from 1 to 1000. An idle node may get the requests of half a second at once. Default 20.
	RequestsPerSecond *int `yaml:"requests_per_second"`
	// Requests in flight at the same time, from 1 to 100. Default 4.
	Concurrent *int `yaml:"concurrent"`
}

// The balancer that clients connect to.
type wireBalancer struct {
	// Address, http:// or https://, or a list of them. Each, and each address its host name resolves to, is probed as a balancer of its own.
	URL oneOrMore `yaml:"url" check:"required"`
	// How the balancer chooses a node for a new client. Default unknown, or the method that the profile's documentation requires.
	Method string `yaml:"method" check:"oneof=method"`
	// The key of `hash`: $remote_addr, $binary_remote_addr, $http_NAME or $cookie_NAME. Omit it for any other key.
	HashKey string `yaml:"hash_key"`
	// Whether `hash` has the parameter consistent.
	Consistent bool `yaml:"consistent"`
	// Failures before a node is ejected; 0 turns ejection off. Default 1, as in nginx.
	MaxFails *int `yaml:"max_fails" check:"min=0"`
	// How long a node stays ejected; whole seconds. Default 10s, as in nginx.
	FailTimeout *duration `yaml:"fail_timeout"`
	// Request header from which the balancer takes the client's address (nginx: real_ip_header, with set_real_ip_from for this prober only).
	ClientIPHeader string `yaml:"client_ip_header"`
	// Sources of the balancer's own reports about its nodes.
	Evidence wireEvidence `yaml:"evidence"`
}

// Sources of the balancer's own reports about its nodes: files of this machine, and addresses that only this machine should be able to read.
type wireEvidence struct {
	// Path of nginx's error log; the level warn is required for ejections.
	NginxErrorLog string `yaml:"nginx_error_log"`
	// Address of HAProxy's statistics page, without ;csv.
	HAProxyStats string `yaml:"haproxy_stats"`
	// Address of httpd's server-status, with ProxyStatus On.
	ApacheStatus string `yaml:"apache_status"`
	// Address of httpd's balancer-manager, which is only read.
	ApacheBalancerManager string `yaml:"apache_balancer_manager"`
	// Address of Caddy's admin API.
	CaddyAdmin string `yaml:"caddy_admin"`
}

// One application server, with its direct address.
type wireNode struct {
	// Id of the node, unique in the cluster, without spaces.
	ID string `yaml:"id" check:"required"`
	// Direct address of the node, http:// or https://.
	URL string `yaml:"url" check:"required"`
	// Host header and TLS server name of direct requests. Default: the host of its address.
	Host string `yaml:"host"`
	// The name that the node's pages show, if it differs from the id. By default it is detected by direct requests.
	Label string `yaml:"label"`
	// Its name in the balancer's configuration. Default: host:port of its address.
	Server string `yaml:"server"`
	// Its weight in the balancer's configuration. Default 1.
	Weight int `yaml:"weight" check:"min=1"`
	// Whether the balancer's configuration marks it down: it keeps its share of the hash, and gets no clients.
	Down bool `yaml:"down"`
	// Whether it gets clients only when no other node is available.
	Backup bool `yaml:"backup"`
	// Whether it must be started before the others.
	Primary bool `yaml:"primary"`
	// How the node is asked directly, if not by HTTP/1.1: proxy_v1 and proxy_v2 send the PROXY protocol first, as HAProxy does with send-proxy and send-proxy-v2, and h2c is HTTP/2 without TLS.
	Protocol string `yaml:"protocol" check:"oneof=protocol"`
}

// Where nodes are found that come and go: one of dns, file, http and balancer. `serve` asks the source again while it runs, and `probe` once. The id of a node is its address and port, or the target of its SRV record. A source that fails leaves the last list in use.
type wireNodesFrom struct {
	// A DNS name, which is resolved again after its TTL. Its records have no order, so hashes are not computed.
	DNS *wireDNS `yaml:"dns"`
	// A file of target groups in the format of Prometheus's file_sd, in the order of the balancer's configuration.
	File *wireTargetFile `yaml:"file"`
	// A service that answers with target groups in the format of Prometheus's http_sd.
	HTTP *wireTargetService `yaml:"http"`
	// Whether the balancer's own list is used, which evidence reads: HAProxy's statistics (with stats show-legends), httpd's balancer-manager or server-status, or Caddy's admin API.
	Balancer bool `yaml:"balancer"`
	// The backend or balancer in that list. Required if it has several.
	Pool string `yaml:"pool"`
	// Scheme of the nodes' addresses, unless the source names it: http or https. Default http.
	Scheme string `yaml:"scheme" check:"oneof=scheme"`
	// How its nodes are asked directly, as protocol of a node: proxy_v1, proxy_v2 or h2c.
	Protocol string `yaml:"protocol" check:"oneof=protocol"`
	// A list with fewer nodes counts as a failure of the source. Default 1.
	MinNodes *int `yaml:"min_nodes" check:"min=1"`
}

// A DNS name whose records are the nodes.
type wireDNS struct {
	// The name, such as that of a headless Service.
	Name string `yaml:"name" check:"required"`
	// Type of the records: A, AAAA or SRV. Default A.
	Type string `yaml:"type" check:"oneof=record"`
	// Port of the nodes. Required, except for SRV records, which have ports.
	Port *int `yaml:"port" check:"min=1"`
	// The DNS server to ask, host:port. Default: those of /etc/resolv.conf.
	Server string `yaml:"server"`
}

// A file of target groups.
type wireTargetFile struct {
	// Path of the file, .json, .yml or .yaml. Relative to the configuration file.
	Path string `yaml:"path" check:"required"`
}

// A service that answers with target groups.
type wireTargetService struct {
	// Its address, http:// or https://.
	URL string `yaml:"url" check:"required"`
}

// How certificates of https addresses are verified.
type wireTLS struct {
	// PEM file with the certificate authorities to trust instead of the system's. Relative to the configuration file.
	CAFile string `yaml:"ca_file"`
	// Whether any certificate is accepted.
	SkipVerify bool `yaml:"skip_verify"`
}

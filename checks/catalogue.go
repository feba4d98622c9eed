package checks

import "slices"

// An Entry of the catalogue documents a code.
type Entry struct {
	Code      Code
	traits    trait
	Severity  string // usual severity
	Condition string // when the finding is active
	Remedy    string // usual remedy
}

// A trait says how findings of a code are confirmed, compared and grouped.
type trait uint8

const (
	// needsSecondRound: one lost or late packet may cause it, so that a second round must
	// find it, too. Others, such as a lost session, are certain at once.
	needsSecondRound trait = 1 << iota
	// clientErrors: clients get errors, without losing anything.
	clientErrors
	// throughSessions: only answered clients can show it. A round with doubts does not end
	// it, and its nodes depend on chance.
	throughSessions
	// atBalancer: clients meet it at the balancer while no node of the cluster is up, and
	// until the balancer notices that nodes are back.
	atBalancer
	// clusterWide: it is one finding, whichever nodes show it in a round.
	clusterWide
	// provenAnywhere: an answer of the cluster proves it, wherever it was received. Of several sites,
	// one that sees it is enough.
	provenAnywhere
	// ofBalancer: the balancer does it, so that chance decides which nodes show it in a round.
	ofBalancer
)

// Catalogue lists every code of a cluster's findings, the most urgent subjects first.
var Catalogue = []Entry{
	{BalancerDown, needsSecondRound | clientErrors | atBalancer, "critical", "no HTTP answer comes from the balancer", "start it, or look at DNS, firewall and certificate"},
	{BalancerError, needsSecondRound | clientErrors | atBalancer, "critical; warning below 3 clients and 5 % of requests, or at one error", "the balancer answers, but with an error of its own (502, 503, 504)", "look for \"no live upstreams\" in its error log"},
	{NodeDown, needsSecondRound, "warning; critical when none is left and clients are not served", "the node, asked directly, does not answer or answers 5xx; or sessions were lost with nodes that failed", "start the application there"},
	{NodePaused, provenAnywhere, "critical", "its /status says paused, or gives a reason", "bring back what the reason names"},
	{DependencyDown, needsSecondRound, "critical", "a dependency fails when probed, or nodes report it unavailable", "bring the service back; nodes resume by themselves"},
	{DependencyDisputed, needsSecondRound, "warning", "nodes say down and the probe says up, or the other way round", "compare addresses and credentials, and the way in between"},
	{PageFailing, needsSecondRound | clientErrors | atBalancer, "warning on a node, critical if clients get it through the balancer", "a page does not answer as configured", "look in the application's log"},
	{SessionDrift, throughSessions | clusterWide | ofBalancer, "critical; warning while most follow-ups stay and no client is harmed", "the same client with the same cookie is answered by another node while its own is healthy", "give the balancer a sticky method, or share the sessions"},
	{SessionLost, throughSessions | clusterWide | provenAnywhere, "critical", "a session's id or stored value is gone where the policy says it survives", "look for restarts, evictions, a store that is not shared"},
	{SessionFailing, needsSecondRound | clientErrors | clusterWide, "critical; warning if only storing fails on a minority of nodes", "clients that hold a session get errors, time-outs or a page that is not theirs, while new clients are served", "look in the application's log for requests that bring a session cookie"},
	{SessionLeaked, throughSessions | clusterWide | provenAnywhere, "critical", "two clients hold the same session, or one reads what another stored", "look for a cache that stores Set-Cookie (Cache-Control, proxy_ignore_headers)"},
	{LoginFailing, needsSecondRound | clusterWide, "warning", "the account of stickwatch cannot log in: the application refuses it, or the login page is not as configured. Sessions without a login are no lost ones", "compare the account and its password; look at the login page"},
	{SessionRollback, throughSessions | clusterWide | provenAnywhere, "critical", "a session came back with older contents", "look at asynchronous or failing replication"},
	{SessionNotShared, throughSessions | clusterWide | provenAnywhere, "warning", "under shared or replicated, another node does not know the session", "repair replication before a failover needs it"},
	{CookieRejected, 0, "warning", "a browser would not send the session cookie back (Path, Domain, Secure)", "correct the cookie's attributes"},
	{HandshakeBroken, needsSecondRound | clientErrors | throughSessions | atBalancer, "critical", "the Engine.IO or SignalR handshake breaks: a fresh connection id is unknown", "make the balancer sticky on this path"},
	{UpgradeRefused, needsSecondRound | throughSessions | atBalancer, "warning", "the WebSocket upgrade does not pass the balancer", "pass the Upgrade and Connection headers"},
	{NodeFailingInRotation, needsSecondRound | clientErrors, "critical", "a node fails, and the balancer still sends it requests", "take it out of the balancer"},
	{NodeEjected, throughSessions, "warning", "a node is healthy when asked directly, and the balancer sends it nothing, or did so between two probes", "wait fail_timeout, then look at the way from balancer to node"},
	{BalancerSplit, throughSessions | atBalancer | clusterWide | ofBalancer, "warning; critical if sessions are lost between the addresses of one name", "at one moment the same client gets different nodes, by worker or by balancer address; or a session that moves to another address is lost there", "add a zone to nginx's upstream; give all addresses the same sticky cookie"},
	{BalancerRemapped, clusterWide | provenAnywhere, "critical if sessions were lost, else warning", "many clients were sent elsewhere at one moment, and stay there: a server line was added, removed or moved, or the balancer forgot its table", "keep the order and number of server lines; carry stick tables over reloads"},
	{DuplicateNodeID, clusterWide | provenAnywhere, "warning", "two nodes claim one id", "give each an id of its own"},
	{NodeMisidentified, provenAnywhere, "warning", "a node's address answers as another node", "correct addresses or ids"},
	{UnknownNode, 0, "warning", "an unlisted node answers", "list it, or take it out of the balancer"},
	{VersionSkew, clusterWide | provenAnywhere, "warning; critical with --expect-version", "nodes run different versions", "finish the deployment"},
	{SettingsSkew, clusterWide | provenAnywhere, "warning", "nodes differ in a setting that must be equal", "give all the same configuration"},
	{ClockSkew, clusterWide | provenAnywhere, "warning", "the clocks of two nodes certainly differ by more than the limit", "start time synchronisation"},
	{StartOrder, provenAnywhere, "warning", "the primary was started after another node", "restart the others"},
	{NodeRestarted, provenAnywhere, "info; warning for the sessions that restarts have cost, and for a crash loop; critical while clients fail in its outages", "process id, start time, counters or lost sessions show a restart; or sessions were lost with nodes that restarted; or a node restarts again and again", "nothing, if it was meant"},
	{DiscoveryFailing, needsSecondRound, "warning", "the source of `nodes_from` does not answer, or lists fewer nodes than min_nodes: the last list stays in use", "look at the source: the name's records, the file, the service, the balancer's statistics"},
	{NodesChanged, provenAnywhere, "info", "the source of `nodes_from` lists other nodes than before", "nothing, if it was meant"},
	{StoreFailover, clusterWide | provenAnywhere, "info", "a session's store changed (memcached-session-manager: -n1 to -n2), and the session is still there", "bring the store that it left back"},
	{Slow, needsSecondRound, "warning; info for two lost packets in a minute", "an answer took longer than the limit; or connections needed a second packet, because packets are lost", "look at load and at what the node waits for; look for links and ports that drop packets"},
	{CertificateExpiring, provenAnywhere, "warning", "a certificate expires soon", "renew it"},
	{BlindSpot, 0, "info", "something that this set-up cannot see", "follow its remedy to open it"},
}

// OfMonitor lists the codes of findings that no round finds: about the monitor itself, and about
// what monitors at several sites see.
var OfMonitor = []Entry{
	{SiteDisagreement, 0, "warning", "monitors at several sites see a cluster differently: for a minute, one has seen what the others do not see", "compare the way from that site to the cluster with that of the others"},
	{HistoryDamaged, 0, "warning", "the history file was damaged at the start: it is kept, and a new one was begun with what could be read", "check the disk and the file system"},
	{ProberImpaired, 0, "critical; warning for a fleet without its database", "stickwatch itself cannot probe: it has no network, descriptors or ports, or no cluster answers any more; clusters are inconclusive meanwhile. Or the database of a fleet is away for half a minute, and each instance notifies by itself", "look at the machine it runs on: interfaces, routes, limits of open files, ports"},
	{ProberOverloaded, 0, "warning", "the machine that runs stickwatch is too small for its clusters: all are probed less often than configured", "use a larger machine or longer intervals"},
}

// traits are the traits of all codes.
var traits = func() map[Code]trait {
	byCode := make(map[Code]trait)
	for _, e := range slices.Concat(Catalogue, OfMonitor) {
		byCode[e.Code] = e.traits
	}
	return byCode
}()

func (c Code) has(t trait) bool { return traits[c]&t != 0 }

// AtBalancer reports whether clients meet findings of this code at the balancer while no node
// of the cluster is up, and until the balancer notices that nodes are back.
func (c Code) AtBalancer() bool { return c.has(atBalancer) }

// OfBalancer reports whether the balancer causes it, and chance decides which nodes show it.
func (c Code) OfBalancer() bool { return c.has(ofBalancer) }

// Known reports whether a code exists.
func Known(code Code) bool {
	return slices.ContainsFunc(slices.Concat(Catalogue, OfMonitor), func(e Entry) bool { return e.Code == code })
}

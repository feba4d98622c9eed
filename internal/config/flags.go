package config

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Flags describe a cluster by the flags of `probe` and `init`. Zero fields are unset
// flags.
type Flags struct {
	Balancer       []string // --balancer
	Nodes          []string // --node, each ID=URL
	Profile        string   // --profile
	Method         string   // --method
	ClientIPHeader string   // --client-ip-header
	Policy         string   // --policy
	Timeout        time.Duration
}

// FromFlags returns a Config with a single cluster, named after the balancer's
// host:port. Flags are converted to a document, so the rules of the file apply. The
// error is Problems with flags as keys.
func FromFlags(flags Flags) (*Config, error) {
	const cluster, balancer = keyPath("clusters[0]"), keyPath("clusters[0].balancer")
	doc := newDocument("", nil)
	doc.flags = map[keyPath]string{
		balancer:                         "--balancer",
		cluster.key("name"):              "--balancer",
		cluster.key("nodes"):             "--node",
		cluster.key("profile"):           "--profile",
		cluster.key("timeout"):           "--timeout",
		cluster.key("session"):           "--policy",
		balancer.key("method"):           "--method",
		balancer.key("client_ip_header"): "--client-ip-header",
	}
	asked := mapping(
		"name", text(clusterName(flags.Balancer)),
		"profile", text(flags.Profile),
		"timeout", timeout(flags.Timeout),
		"session", mapping("policy", text(flags.Policy)),
		"balancer", mapping("url", texts(flags.Balancer), "method", text(flags.Method), "client_ip_header", text(flags.ClientIPHeader)),
		"nodes", doc.nodeFlags(flags.Nodes, cluster.key("nodes")),
	)
	doc.root = mapping("clusters", sequence(asked))
	return doc.config("")
}

// clusterName returns host:port of the balancer's first address.
func clusterName(addresses []string) string {
	if len(addresses) > 0 {
		if u, err := url.Parse(addresses[0]); err == nil && u.Host != "" {
			return u.Host
		}
	}
	return "cluster"
}

// nodeFlags returns the nodes of ID=URL flags, each with its own key path.
func (doc *document) nodeFlags(flags []string, at keyPath) *yaml.Node {
	if len(flags) == 0 {
		return nil
	}
	nodes := sequence()
	for i, flag := range flags {
		id, address, ok := strings.Cut(flag, "=")
		if !ok || id == "" || address == "" {
			doc.markBroken(nil, at.item(i), fmt.Sprintf("%s: expected ID=URL", quoteURL(flag)))
			id, address = cmp.Or(id, "?"), cmp.Or(address, "?")
		}
		nodes.Content = append(nodes.Content, mapping("id", text(id), "url", text(address)))
	}
	return nodes
}

// mapping returns a YAML mapping of alternating keys and values. Nil values are left
// out; a mapping without values is nil.
func mapping(keysAndValues ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i < len(keysAndValues); i += 2 {
		if value := keysAndValues[i+1].(*yaml.Node); value != nil {
			n.Content = append(n.Content, text(keysAndValues[i].(string)), value)
		}
	}
	if len(n.Content) == 0 {
		return nil
	}
	return n
}

func sequence(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: items}
}

// text returns a YAML scalar; nil for "".
func text(s string) *yaml.Node {
	if s == "" {
		return nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

func texts(list []string) *yaml.Node {
	if len(list) == 0 {
		return nil
	}
	n := sequence()
	for _, s := range list {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s})
	}
	return n
}

func timeout(d time.Duration) *yaml.Node {
	if d == 0 {
		return nil
	}
	return text(d.String())
}

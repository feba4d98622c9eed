package importer

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"stickwatch/internal/phrase"
)

// compose returns the dynamic configuration that the labels of a compose file's services
// stand for.
func (r *traefikReader) compose(services value) value {
	root := value{position: services.position}
	for name, service := range services.entries() {
		labels := composeLabels(service.get("labels"))
		if deployed := composeLabels(service.get("deploy", "labels")); labels.keys == nil {
			labels = deployed
		}
		if enabled := labels.get("traefik.enable"); enabled.exists() && !enabled.isTrue() {
			continue
		}
		r.container(&root, name, service, labels)
		for _, command := range service.get("command").list() {
			r.argument(command.text)
		}
	}
	if len(root.keys) == 0 {
		r.recordUnusable(services.position, phrase.New("services without labels of Traefik"), phrase.Phrase{})
	}
	return root
}

// composeLabels returns labels as a mapping: they may also be a list of KEY=VALUE.
func composeLabels(labels value) value {
	out := value{position: labels.position, keys: labels.keys, fields: labels.fields}
	for _, item := range labels.items {
		key, text, _ := strings.Cut(item.text, "=")
		out.keys = append(out.keys, strings.TrimSpace(key))
		out.fields = append(out.fields, value{position: item.position, text: strings.TrimSpace(text)})
	}
	return out
}

// container adds the routers and services of a container's labels.
func (r *traefikReader) container(root *value, name string, service, labels value) {
	own := "" // the service that the labels define
	routers := map[string]position{}
	for key, v := range labels.entries() {
		path := strings.Split(key, ".")
		if len(path) < 4 || path[0] != "traefik" || path[1] != "http" {
			continue
		}
		switch strings.ToLower(path[2]) {
		case "services":
			own = path[3]
		case "routers":
			routers[path[3]] = v.position
		}
		if items := strings.Split(v.text, ","); len(path) > 4 && slices.Contains([]string{"entrypoints", "middlewares", "prefixes"}, strings.ToLower(path[len(path)-1])) {
			v.text, v.items = "", []value{}
			for _, item := range items {
				v.items = append(v.items, value{position: v.position, text: strings.TrimSpace(item)})
			}
		}
		if len(path) == 5 && strings.EqualFold(path[4], "tls") && !v.isTrue() {
			continue
		}
		root.set(path[1:], v)
	}
	if own == "" && len(routers) == 0 {
		return
	}
	own = cmp.Or(own, name)
	for router, at := range routers {
		if !root.get("http", "routers", router, "service").exists() {
			root.set([]string{"http", "routers", router, "service"}, value{position: at, text: own})
		}
	}
	r.instance(root, name, own, service)
}

// instance adds a container as a server of its service.
func (r *traefikReader) instance(root *value, name, own string, service value) {
	balancer := []string{"http", "services", own, "loadBalancer"}
	port := root.get(append(balancer, "server", "port")...).text
	for _, expose := range append(service.get("expose").list(), service.get("ports").list()...) {
		published := strings.Split(strings.TrimSuffix(expose.text, "/tcp"), ":")
		port = cmp.Or(port, published[len(published)-1])
	}
	port = cmp.Or(port, "80")
	root.set(append(balancer, "network"), value{position: service.position, text: "compose"})
	count := cmp.Or(service.get("deploy", "replicas").text, service.get("scale").text)
	if n, err := strconv.Atoi(count); err == nil && n > 1 || isVariable(count) {
		root.set(append(balancer, "discovery", "name"), value{position: service.position, text: name})
		root.set(append(balancer, "discovery", "port"), value{position: service.position, text: port})
		return
	}
	scheme := cmp.Or(root.get(append(balancer, "server", "scheme")...).text, "http")
	servers := root.get(append(balancer, "servers")...)
	s := value{position: service.position}
	s.set([]string{"url"}, value{position: service.position, text: scheme + "://" + name + ":" + port})
	root.set(append(balancer, "servers"), value{position: service.position, items: append(servers.items, s)})
}

// argument reads an entry point from an argument of Traefik's own container.
func (r *traefikReader) argument(text string) {
	key, argument, _ := strings.Cut(strings.TrimLeft(text, "-"), "=")
	path := strings.Split(key, ".")
	if len(path) < 3 || !strings.EqualFold(path[0], "entrypoints") {
		return
	}
	point := r.points[path[1]]
	switch strings.ToLower(strings.Join(path[2:], ".")) {
	case "address":
		point.host, point.port = splitAddress(argument)
	case "http.redirections.entrypoint.to":
		point.redirected = true
	case "http.tls", "http.tls.certresolver":
		point.secure = true
	}
	r.points[path[1]] = point
}

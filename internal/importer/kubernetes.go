package importer

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// A kubeReader extracts the Services to which Ingresses lead. Pods come and go, so a
// Service is a name in DNS; only a StatefulSet names its pods.
type kubeReader struct {
	parsedConfig
	services  map[string]value // by namespace/name
	sets      []value          // StatefulSets
	workloads []value          // everything that has pods
}

// readKubernetes parses manifests. It is written from the documentation of Kubernetes and
// of the ingress controllers.
func readKubernetes(src source, file string) (*parsedConfig, error) {
	text, err := src.read(file)
	if err != nil {
		return nil, err
	}
	docs, err := documents(file, text)
	if err != nil {
		return nil, err
	}
	r := &kubeReader{services: map[string]value{}}
	var ingresses []value
	for _, d := range kubeItems(docs) {
		switch kind := d.get("kind").text; kind {
		case "Service":
			r.services[kubeName(d)] = d
		case "StatefulSet", "Deployment", "DaemonSet", "ReplicaSet", "Rollout":
			if kind == "StatefulSet" {
				r.sets = append(r.sets, d)
			}
			r.workloads = append(r.workloads, d)
			r.recordDirectives([]directive{{name: kind}})
		case "Ingress":
			ingresses = append(ingresses, d)
		case "IngressRoute", "HTTPRoute", "VirtualService", "Gateway":
			r.recordUnusable(d.position, phrase.New("kind %s", kind), phrase.New("init reads Ingress and Service manifests"))
		case "":
		default:
			r.recordDirectives([]directive{{name: kind}})
		}
	}
	for _, d := range ingresses {
		r.ingress(d)
	}
	if len(ingresses) == 0 {
		r.published()
	}
	return &r.parsedConfig, nil
}

// published adds the Services that users reach without an Ingress: kube-proxy balances
// their connections.
func (r *kubeReader) published() {
	all := slices.SortedFunc(maps.Values(r.services), func(a, b value) int { return a.line - b.line })
	for _, service := range all {
		kind := service.get("spec", "type").text
		port := kubeWebPort(service)
		if kind != "NodePort" && kind != "LoadBalancer" || !port.exists() {
			r.recordUnusable(service.position, phrase.New("the Service %s without an Ingress", kubeName(service)), phrase.New("add the Ingress manifest"))
			continue
		}
		backend := value{position: service.position}
		backend.set([]string{"name"}, service.get("metadata", "name"))
		backend.set([]string{"port", "number"}, port.get("port"))
		u := r.service(service, kubeNotes{}, backend)
		u.method = probes.MethodRandom
		if v := service.get("spec", "sessionAffinity"); v.text == "ClientIP" {
			u.method, u.keyComments = probes.MethodUnknown, slices.DeleteFunc(u.keyComments, func(c keyComment) bool { return c.key == "balancer.method" })
			u.addComment("balancer.method", v.remark("ClientIP: kube-proxy keeps the pod of a client's address, which cannot be predicted"))
		}
		number, guess := port.get("port").text, guessedAddress
		if kind == "NodePort" {
			number, guess = cmp.Or(port.get("nodePort").text, number), phrase.New("each machine of the Kubernetes cluster has this port: write the address for users")
		}
		host := ""
		for _, in := range service.get("status", "loadBalancer", "ingress").list() {
			host = cmp.Or(in.get("hostname").text, in.get("ip").text)
		}
		scheme := map[bool]string{true: "https", false: "http"}[number == "443" || port.get("name").text == "https"]
		if front, ok := newFrontend(service.position, scheme, host, number, ""); ok {
			if host == "" {
				front.guess = guess
			}
			u.site(service.position, []frontend{front}).addRoute(newMatch().route(service.position))
		}
	}
}

// kubeWebPort returns the first port of a Service that looks like one of HTTP; zero: none
// does.
func kubeWebPort(service value) value {
	for _, port := range service.get("spec", "ports").list() {
		name := port.get("name").text
		if strings.HasPrefix(name, "http") || strings.HasPrefix(name, "web") || slices.Contains([]string{"80", "443", "8080", "8443"}, port.get("port").text) {
			return port
		}
	}
	return value{}
}

// kubeItems returns the manifests, those in lists, too.
func kubeItems(docs []value) (out []value) {
	for _, d := range docs {
		if d.get("kind").text == "List" {
			out = append(out, kubeItems(d.get("items").list())...)
		} else {
			out = append(out, d)
		}
	}
	return out
}

func kubeName(d value) string {
	return kubeSpace(d) + "/" + d.get("metadata", "name").text
}

// kubeNotes are the annotations of an Ingress or Service by their names without the
// controller's domain.
type kubeNotes struct {
	value
	controller string
}

// kubeControllers are the domains of annotations with the controllers that read them.
var kubeControllers = map[string]string{
	"nginx.ingress.kubernetes.io": "ingress-nginx", "haproxy-ingress.github.io": "haproxy-ingress", "ingress.kubernetes.io": "haproxy-ingress",
	"haproxy.org": "haproxy.org", "traefik.ingress.kubernetes.io": "traefik",
}

func notesOf(d value) kubeNotes {
	out := kubeNotes{controller: d.get("spec", "ingressClassName").text}
	for key, v := range d.get("metadata", "annotations").entries() {
		domain, name, _ := strings.Cut(key, "/")
		if controller := kubeControllers[domain]; controller != "" {
			out.controller = controller
			out.set([]string{name}, v)
		}
	}
	return out
}

// ingress adds the ways of an Ingress.
func (r *kubeReader) ingress(d value) {
	notes := notesOf(d)
	var secure []string
	for _, tls := range d.get("spec", "tls").list() {
		secure = append(secure, tls.get("hosts").texts()...)
	}
	if backend := d.get("spec", "defaultBackend", "service"); backend.exists() {
		r.way(d, notes, backend, newMatch(), "", "/", slices.Contains(secure, ""))
	}
	for _, rule := range d.get("spec", "rules").list() {
		host := rule.get("host").text
		if strings.HasPrefix(host, "*.") {
			r.note("%s: the host %s stands for many names", rule.position, host)
		}
		host, _ = someName([]string{host})
		for _, p := range rule.get("http", "paths").list() {
			backend := p.get("backend", "service")
			if !backend.exists() && p.get("backend", "serviceName").exists() { // of v1beta1
				backend = value{position: p.position}
				backend.set([]string{"name"}, p.get("backend", "serviceName"))
				backend.set([]string{"port", "number"}, p.get("backend", "servicePort"))
			}
			r.way(d, notes, backend, kubeMatch(p, notes), host, p.get("path").text, slices.Contains(secure, rule.get("host").text) || notes.get("router.tls").isTrue())
		}
	}
}

// kubeMatch converts a path of an Ingress.
func kubeMatch(p value, notes kubeNotes) match {
	m := newMatch()
	path := cmp.Or(p.get("path").text, "/")
	switch {
	case notes.get("canary").isTrue():
		m.path, m.only = path, phrase.New("only the canary's share of requests")
	case notes.get("use-regex").isTrue() || strings.ContainsAny(path, "(*["):
		m = m.withPattern(newPattern("^"+path, true))
	default:
		m.path, m.exact = path, p.get("pathType").text == "Exact"
	}
	return m
}

// way adds a way to a Service.
func (r *kubeReader) way(d value, notes kubeNotes, backend value, m match, host, path string, tls bool) {
	name := backend.get("name").text
	if name == "" {
		r.note("%s: a backend that is no Service: it is missing here", d.position)
		return
	}
	u := r.service(d, notes, backend)
	m.host = host
	scheme := map[bool]string{true: "https", false: "http"}[tls]
	frontends := func(host string) []frontend {
		front, ok := newFrontend(d.position, scheme, "", "", host)
		if !ok {
			return nil
		}
		return []frontend{front}
	}
	at := backend.position
	u.addMatches(at, []match{m}, frontends, func(way route) (route, bool) {
		target := notes.get("rewrite-target").text
		if target == "" {
			return way, true
		}
		return newPattern("^"+path, true).mapped(at, target) // without groups every path becomes this one
	})
}

// service returns the upstream of a Service's port, and adds it if necessary.
func (r *kubeReader) service(d value, notes kubeNotes, backend value) *upstream {
	space := kubeSpace(d)
	name := backend.get("name").text
	port := cmp.Or(backend.get("port", "number").text, backend.get("port", "name").text)
	full := name
	if space != "default" {
		full = space + "/" + name
	}
	if u := r.named(full); u != nil {
		return u
	}
	service, known := r.services[space+"/"+name]
	u := &upstream{
		position: backend.position, kind: "Service", name: full, method: probes.MethodRoundRobin, evidence: map[string]string{},
		ejection: ejection{failTimeout: 10 * time.Second, explicit: true, derivedFrom: phrase.New("Kubernetes takes a pod out when its readiness probe fails; the controller does not")},
	}
	if known {
		u.position = service.position
	}
	target := kubePort(service, port)
	u.kubeAffinity(notes, service, space+"-"+name+"-"+port)
	r.pods(u, service, space, name, target)
	r.upstreams = append(r.upstreams, u)
	return u
}

// kubePort returns the port of the pods behind a port of a Service.
func kubePort(service value, port string) string {
	for _, p := range service.get("spec", "ports").list() {
		if p.get("port").text == port || p.get("name").text == port && port != "" {
			return cmp.Or(p.get("targetPort").text, p.get("port").text)
		}
	}
	return port
}

// pods adds the pods of a StatefulSet, else where the addresses of the pods are found.
func (r *kubeReader) pods(u *upstream, service value, space, name, port string) {
	if _, err := strconv.Atoi(port); err != nil {
		port = cmp.Or(r.containerPort(service, space, port), port)
	}
	if _, err := strconv.Atoi(port); err != nil {
		u.guess("nodes", u.remark("the port %s is a name of the pods' manifest: write its number", port))
		port = "80"
	}
	for _, set := range r.sets {
		replicas, err := strconv.Atoi(cmp.Or(set.get("spec", "replicas").text, "1"))
		if kubeSpace(set) != space || !kubeSelects(service, set) || err != nil || replicas < 1 || replicas > maxPorts {
			continue
		}
		domain := cmp.Or(set.get("spec", "serviceName").text, name) + "." + space + ".svc.cluster.local:" + port
		for i := range replicas {
			pod := set.get("metadata", "name").text + "-" + strconv.Itoa(i)
			u.servers = append(u.servers, server{position: set.position, scheme: "http", name: pod, address: pod + "." + domain, weight: 1})
		}
		u.guess("nodes", set.remark("names of the cluster's DNS: run stickwatch in the cluster"))
		return
	}
	if !u.dynamic.IsZero() { // its pods speak another protocol
		return
	}
	host := name + "." + space + ".svc.cluster.local"
	u.dynamic = u.remark("the pods of the Service %s are in DNS of the cluster, where stickwatch must run", name)
	if service.get("spec", "clusterIP").text != "None" {
		u.dynamic = phrase.New("%s; its name has one address: for the addresses of the pods add a headless Service (clusterIP: None) with the same selector", u.dynamic)
		host = name + "-headless." + space + ".svc.cluster.local"
	}
	u.discovery = &dnsName{name: host, record: "A", port: port}
}

// containerPort returns the number of a named port of the pods that a Service selects; "":
// they are in no manifest.
func (r *kubeReader) containerPort(service value, space, name string) string {
	for _, d := range r.workloads {
		if kubeSpace(d) != space || !kubeSelects(service, d) {
			continue
		}
		for _, c := range d.get("spec", "template", "spec", "containers").list() {
			for _, port := range c.get("ports").list() {
				if port.get("name").text == name {
					return port.get("containerPort").text
				}
			}
		}
	}
	return ""
}

func kubeSpace(d value) string { return cmp.Or(d.get("metadata", "namespace").text, "default") }

// kubeSelects reports whether a Service selects the pods of a workload.
func kubeSelects(service, set value) bool {
	labels := set.get("spec", "template", "metadata", "labels")
	selector := service.get("spec", "selector")
	for key, v := range selector.entries() {
		if labels.get(key).text != v.text {
			return false
		}
	}
	return len(selector.keys) > 0
}

// kubeAffinity reads the annotations about stickiness and the method. backend is
// ingress-nginx's name of the Service's port, which its cookie depends on.
func (u *upstream) kubeAffinity(notes kubeNotes, service value, backend string) {
	traefik := notesOf(service)
	switch {
	case notes.get("affinity").text == "cookie":
		u.method, u.cookie = probes.MethodCookie, cmp.Or(notes.get("session-cookie-name").text, "INGRESSCOOKIE")
		if notes.controller == "ingress-nginx" {
			u.cookieBackend = backend
		}
	case notes.get("cookie-persistence").text != "":
		u.method, u.cookie = probes.MethodCookie, notes.get("cookie-persistence").text
	case traefik.get("service.sticky.cookie").isTrue() || traefik.get("service.sticky").isTrue():
		u.method, u.cookie = probes.MethodCookie, cmp.Or(traefik.get("service.sticky.cookie.name").text, "auto")
	case notes.get("upstream-hash-by").exists():
		u.method = probes.MethodUnknown
		v := notes.get("upstream-hash-by")
		u.addComment("balancer.method", v.remark("upstream-hash-by %s: the order of the pods is not known, so stickwatch does not compute the hash", v.text))
	case notes.get("load-balance").exists() || notes.get("balance-algorithm").exists():
		v := notes.get("load-balance")
		if !v.exists() {
			v = notes.get("balance-algorithm")
		}
		u.kubeMethod(v)
	}
	if service.get("spec", "sessionAffinity").text == "ClientIP" {
		v := service.get("spec", "sessionAffinity")
		u.addComment("balancer.method", v.remark("sessionAffinity: ClientIP of a Service does not apply to controllers that ask pods themselves"))
	}
	if v := notes.get("auth-type"); v.text == "basic" || v.text == "digest" {
		u.asksPassword(v.position, "auth-type: "+v.text)
	}
	if v := notes.get("auth-url"); v.exists() {
		u.asksLogin(v.position, "auth-url")
	}
	if notes.get("backend-protocol").text == "GRPC" || notes.get("backend-protocol").text == "FCGI" {
		u.dynamic = notes.get("backend-protocol").remark("its pods speak %s, and no plain HTTP", notes.get("backend-protocol").text)
	}
}

func (u *upstream) kubeMethod(v value) {
	name, _, _ := strings.Cut(v.text, "(")
	switch name {
	case "round_robin", "roundrobin":
	case "leastconn", "least_conn":
		u.method = probes.MethodLeastConn
	case "random":
		u.method = probes.MethodRandom
	default:
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", v.remark("%s cannot be predicted by clients", v.text))
	}
}

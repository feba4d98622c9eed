package web

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"

	"stickwatch/internal/expect"
	"stickwatch/internal/monthly"
	"stickwatch/internal/must"
	"stickwatch/internal/wire"
)

// An operation is an operation of the OpenAPI document. The statuses that follow from its
// method, path and body are not repeated in errors.
type operation struct {
	route      string // pattern of its route
	summary    string
	parameters []string // of the query, from parameters
	body       any      // of the request; nil: none
	status     int      // of success
	answer     any      // body of success; nil: none; a mediaType: text
	errors     []int

	query, sent string // a request that succeeds, for tests
}

type mediaType string

const text mediaType = "text/plain"

var operations = []operation{
	{route: "GET /api/v1/openapi.json", summary: "this document", status: 200, answer: map[string]any{}},
	{route: "GET /api/v1/clusters", summary: "all clusters, as in probe -o json, with the start of each finding", status: 200, answer: wireClusters{}, errors: []int{400}},
	{route: "GET /api/v1/clusters/{name}", summary: "a cluster", status: 200, answer: wireCluster{}, errors: []int{400}},
	{
		route: "POST /api/v1/clusters/{name}/probe", summary: "takes a round now and returns the cluster; requests share a round that is under way",
		status: 200, answer: wireCluster{}, errors: []int{400, 409, 500, 503, 504},
	},
	{
		route: "GET /api/v1/incidents", summary: "incidents, newest first", parameters: []string{"cluster", "severity", "state", "code", "since", "until", "limit"},
		status: 200, answer: wireIncidents{}, errors: []int{500, 503},
	},
	{route: "GET /api/v1/incidents/{id}", summary: "an incident", status: 200, answer: wire.Incident{}, errors: []int{400, 500, 503}},
	{
		route: "POST /api/v1/incidents/{id}/acknowledge", summary: "records who takes care of an open incident, which ends reminders and prevents escalations",
		body: wire.AcknowledgeRequest{}, status: 200, answer: wire.Incident{}, errors: []int{409, 500, 503}, sent: `{"author": "ann", "note": "restarting Redis"}`,
	},
	{
		route: "POST /api/v1/incidents/{id}/notes", summary: "adds a note to the timeline of an incident, open or resolved",
		body: wire.NoteRequest{}, status: 200, answer: wire.Incident{}, errors: []int{409, 500, 503}, sent: `{"author": "ann", "text": "the disk was full"}`,
	},
	{
		route: "GET /api/v1/history", summary: "uptimes, latencies, session moves and deployments of a cluster, and the points of a target",
		parameters: []string{"cluster!", "since", "until", "target", "kind", "step"},
		status:     200, answer: wireHistory{}, errors: []int{404, 500, 503}, query: "?cluster=shop&target=node1",
	},
	{
		route: "GET /api/v1/report", summary: "the availability of sessions, balancers and nodes in a month, with its incidents and deployments",
		parameters: []string{"month", "target_percent"},
		status:     200, answer: monthly.WireReport{}, errors: []int{400, 500, 503}, query: "?month=2026-03&target_percent=99.5",
	},
	{route: "GET /api/v1/silences", summary: "active and planned silences", status: 200, answer: wireSilences{}, errors: []int{400, 500, 503}},
	{
		route: "POST /api/v1/silences", summary: "creates a silence for a cluster, node or code, or for all", body: wire.SilenceRequest{},
		status: 201, answer: wire.Silence{}, errors: []int{500, 503}, sent: `{"cluster": "shop", "duration": "2h"}`,
	},
	{route: "DELETE /api/v1/silences/{id}", summary: "ends a silence now; the history keeps it", status: 204, errors: []int{500, 503}},
	{
		route: "GET /api/v1/deployments", summary: "announced deployments, oldest first", parameters: []string{"cluster", "since", "until"},
		status: 200, answer: wireDeployments{}, errors: []int{500, 503},
	},
	{
		route: "POST /api/v1/deployments", summary: "announces a deployment; notifications of what it explains are held back", body: wire.DeploymentRequest{},
		status: 201, answer: wire.Deployment{}, errors: []int{404, 500, 503}, sent: `{"cluster": "shop", "name": "4.2"}`,
	},
	{
		route: "POST /api/v1/deployments/{id}/end", summary: "ends a deployment, with the counts of a client that watched it, if any",
		body: wire.DeploymentEndRequest{}, status: 204, errors: []int{500, 503}, sent: `{"sessions_lost": 1}`,
	},
	{route: "GET /-/healthy", summary: "whether the process can answer", status: 200, answer: text},
	{route: "GET /-/ready", summary: "whether every cluster had its first round; 503 with the reason if not", status: 200, answer: text, errors: []int{503}},
	{route: "POST /-/reload", summary: "reads the configuration file again; 422 with its errors", status: 204, errors: []int{422}},
	{route: "GET /-/admin", summary: "the address of the daemon; admin socket only", status: 200, answer: wire.Admin{}, errors: []int{403}},
	{
		route: "POST /-/token", summary: "creates a token for a program, or a link for a browser; admin socket only", body: wire.TokenRequest{},
		status: 200, answer: wire.Token{}, errors: []int{409, 500}, sent: `{"duration": "12h", "bearer": true}`,
	},
	{route: "GET /metrics", summary: "metrics of the daemon, for Prometheus", status: 200, answer: text},
	{
		route: "GET /probe", summary: "one round of a cluster now, and its metrics, for Prometheus", parameters: []string{"cluster!", "timeout"},
		status: 200, answer: text, errors: []int{404, 409, 500, 503, 504}, query: "?cluster=shop",
	},
}

// parameters are the parameters of requests. In operations, an exclamation mark follows the
// name of one that is required.
var parameters = map[string]map[string]any{
	"cluster":  {"description": "name of a cluster", "schema": map[string]any{"type": "string"}},
	"since":    {"description": "a time in RFC 3339, or a duration before now such as 90m, 24h, 7d or 2w", "schema": map[string]any{"type": "string"}},
	"until":    {"description": "like since", "schema": map[string]any{"type": "string"}},
	"severity": {"description": "the highest so far", "schema": map[string]any{"type": "string", "enum": []string{"critical", "warning"}}},
	"code":     {"description": "code of the cause, or of another finding", "schema": reference("Code")},
	"state": {
		"description": "ongoing, recovering (no finding is active any more) or resolved, or what decides about notifications: pending or firing",
		"schema":      map[string]any{"type": "string", "enum": []string{"ongoing", "recovering", "resolved", "pending", "firing"}},
	},
	"limit":  {"schema": map[string]any{"type": "integer", "minimum": 1, "maximum": maxIncidents, "default": defaultIncidents}},
	"target": {"description": "name of a target, whose points are returned", "schema": map[string]any{"type": "string"}},
	"kind":   {"description": "kind of the target; default: node", "schema": reference("TargetKind")},
	"step":   {"description": "time between points, such as 30s; default: for 300 points", "schema": map[string]any{"type": "string"}},
	"month":  {"description": "a month such as 2026-11, in the time zone of the messages; default: the current one", "schema": map[string]any{"type": "string"}},
	"target_percent": {
		"description": "the percentage of requests that must be served with their session",
		"schema":      map[string]any{"type": "number", "exclusiveMinimum": 0, "maximum": 100, "default": json.Number(monthly.DefaultTarget)},
	},
	"timeout": {
		"in": "header", "name": "X-Prometheus-Scrape-Timeout-Seconds",
		"description": "the round ends before", "schema": map[string]any{"type": "number"},
	},
}

// problems are the meanings of error statuses.
var problems = map[int]string{
	400: "the request is wrong; detail has all errors",
	401: "a user is required",
	403: "you may not make this change; detail says how to get the right",
	404: "no such cluster, incident, silence or deployment",
	409: "not possible now; detail has the reason",
	413: "the body is larger than 64 KB",
	415: "the body is not application/json",
	421: "the request is for an unknown host",
	422: "the reload was refused; the configuration is unchanged",
	500: "the daemon failed; see its log",
	503: "the daemon is not ready, is shutting down, the database of its history is away, or too many requests wait; see Retry-After",
	504: "the round took too long",
}

// TestOpenAPI checks that the published document is the one of the types and operations. To
// update it: go test ./internal/web -run OpenAPI -update.
func TestOpenAPI(t *testing.T) {
	const file = "../docs/openapi.json"
	document, err := json.MarshalIndent(openAPIDocument(t), "", "  ")
	must.Succeed(t, err)
	expect.Golden(t, file, strings.ReplaceAll(string(document), "#/$defs/", "#/components/schemas/")+"\n")
}

// TestOpenAPIHasEveryRoute checks that the document has every route but those of pages, and no
// other.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	s := newFakeDaemon(healthyCluster("shop", 2)).server(t)
	var offered, documented []string
	for _, r := range slices.Concat(s.operationRoutes(), s.apiRoutes()) {
		offered = append(offered, r.pattern)
	}
	for _, o := range operations {
		documented = append(documented, o.route)
	}
	slices.Sort(offered)
	slices.Sort(documented)
	if diff := cmp.Diff(offered, documented); diff != "" {
		t.Errorf("routes of the server and of the document (-/+):\n%s", diff)
	}
}

func reference(schema string) map[string]any { return map[string]any{"$ref": "#/$defs/" + schema} }

// openAPIDocument returns the document. Its references to schemas begin with #/$defs/.
func openAPIDocument(t *testing.T) map[string]any {
	schemas, paths := newSchemas(t), map[string]map[string]any{}
	for _, o := range operations {
		method, at, _ := strings.Cut(o.route, " ")
		if paths[at] == nil {
			paths[at] = map[string]any{}
		}
		paths[at][strings.ToLower(method)] = o.document(schemas)
	}
	responses := map[string]any{}
	for status, meaning := range problems {
		responses[responseName(status)] = response(meaning, "application/problem+json", schemas.of(problem{}, false))
	}
	responses[responseName(401)] = response(problems[401], "text/plain", map[string]any{"type": "string"})
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title":       "stickwatch",
			"version":     strconv.Itoa(wire.SchemaVersion),
			"license":     map[string]any{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "The API of `stickwatch serve`. Members and values may be added to answers; existing members keep their meaning.",
		},
		"servers": []any{map[string]any{"url": "/"}},
		"paths":   paths,
		"components": map[string]any{
			"schemas": schemas.definitions, "responses": responses,
			"securitySchemes": map[string]any{
				"user":    map[string]any{"type": "http", "scheme": "basic", "description": "a user of --web.config.file"},
				"token":   map[string]any{"type": "http", "scheme": "bearer", "description": "the output of stickwatch token --bearer"},
				"browser": map[string]any{"type": "apiKey", "in": "cookie", "name": tokenCookie, "description": "from the link of stickwatch token"},
			},
		},
	}
}

// document returns the operation object of the document.
func (o operation) document(schemas *schemas) map[string]any {
	responses := map[string]any{}
	for _, status := range o.statuses() {
		responses[strconv.Itoa(status)] = map[string]any{"$ref": "#/components/responses/" + responseName(status)}
	}
	if o.route == "GET /-/ready" {
		responses["503"] = response("not ready, with the reason", string(text), map[string]any{"type": "string"})
	}
	success := map[string]any{"description": http.StatusText(o.status)}
	switch answer := o.answer.(type) {
	case nil:
	case mediaType:
		success = response(http.StatusText(o.status), string(answer), map[string]any{"type": "string"})
	default:
		success = response(http.StatusText(o.status), "application/json", schemas.of(answer, false))
	}
	responses[strconv.Itoa(o.status)] = success
	document := map[string]any{"summary": o.summary, "operationId": o.id(), "responses": responses, "security": o.security()}
	if parameters := o.parameterObjects(); len(parameters) > 0 {
		document["parameters"] = parameters
	}
	if o.body != nil {
		document["requestBody"] = map[string]any{
			"required": o.route != "POST /api/v1/deployments/{id}/end",
			"content":  map[string]any{"application/json": map[string]any{"schema": schemas.of(o.body, true)}},
		}
	}
	return document
}

// id returns a name for the functions of generated clients: getApiV1ClustersName.
func (o operation) id() string {
	method, at, _ := strings.Cut(o.route, " ")
	var id strings.Builder
	id.WriteString(strings.ToLower(method))
	for word := range strings.FieldsFuncSeq(at, func(r rune) bool { return strings.ContainsRune("/-.{}", r) }) {
		id.WriteString(title(word))
	}
	return id.String()
}

// security returns who may call the operation. The empty choice is everybody for reading, and
// the admin socket for changes.
func (o operation) security() []any {
	ways := []any{map[string]any{}, map[string]any{"user": []any{}}}
	if !strings.HasPrefix(o.route, "GET ") {
		ways = append(ways, map[string]any{"token": []any{}}, map[string]any{"browser": []any{}})
	}
	return ways
}

// statuses returns the error statuses of the operation.
func (o operation) statuses() []int {
	all := append([]int{http.StatusUnauthorized, http.StatusMisdirectedRequest}, o.errors...)
	if !strings.HasPrefix(o.route, "GET ") {
		all = append(all, http.StatusForbidden)
	}
	if strings.Contains(o.route, "{") {
		all = append(all, http.StatusNotFound)
	}
	if len(o.parameters) > 0 {
		all = append(all, http.StatusBadRequest)
	}
	if o.body != nil {
		all = append(all, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	return all
}

func (o operation) parameterObjects() []any {
	var list []any
	for _, name := range pathNames(o.route) {
		list = append(list, map[string]any{"name": name, "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
	}
	for _, name := range o.parameters {
		name, required := strings.CutSuffix(name, "!")
		p := map[string]any{"name": name, "in": "query"}
		maps.Copy(p, parameters[name])
		if required {
			p["required"] = true
		}
		list = append(list, p)
	}
	return list
}

// pathNames returns the names of the variable parts of a pattern.
func pathNames(pattern string) (names []string) {
	for _, part := range strings.Split(pattern, "{")[1:] {
		name, _, _ := strings.Cut(part, "}")
		names = append(names, name)
	}
	return names
}

func response(description, contentType string, schema any) map[string]any {
	return map[string]any{"description": description, "content": map[string]any{contentType: map[string]any{"schema": schema}}}
}

func responseName(status int) string { return strings.ReplaceAll(http.StatusText(status), " ", "") }

// schemas are the schemas of the document. Their descriptions are the comments of the source.
type schemas struct {
	definitions jsonschema.Definitions
	comments    map[string]string // by "wire.Cluster." and "wire.Cluster.Name"
	words       map[string][]any  // the constants of a type such as checks.Verdict
}

func newSchemas(t *testing.T) *schemas {
	s := &schemas{definitions: jsonschema.Definitions{}, comments: map[string]string{}, words: map[string][]any{}}
	for _, pkg := range []string{"internal/wire", "internal/web", "checks", "alerting", "probes"} {
		files, err := filepath.Glob(filepath.Join("../..", pkg, "*.go"))
		must.Succeed(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			must.Succeed(t, err)
			for _, d := range parsed.Decls {
				if d, ok := d.(*ast.GenDecl); ok {
					s.read(path.Base(pkg), d)
				}
			}
		}
	}
	s.definitions["Timestamp"] = &jsonschema.Schema{
		Type: "string", Format: "date-time", Description: "in UTC with milliseconds",
		Pattern: `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$`,
	}
	return s
}

// read reads the comments of structs, and the constants of named types.
func (s *schemas) read(pkg string, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			doc := d.Doc
			if spec.Doc != nil {
				doc = spec.Doc
			}
			s.comments[pkg+"."+spec.Name.Name+"."] = doc.Text()
			if object, ok := spec.Type.(*ast.StructType); ok {
				s.readFields(pkg+"."+spec.Name.Name+".", object)
			}
		case *ast.ValueSpec:
			typ, ok := spec.Type.(*ast.Ident)
			if !ok || d.Tok != token.CONST {
				continue
			}
			for _, v := range spec.Values {
				if literal, ok := v.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					word, _ := strconv.Unquote(literal.Value) // the parser accepted it
					s.words[pkg+"."+typ.Name] = append(s.words[pkg+"."+typ.Name], word)
				}
			}
		}
	}
}

func (s *schemas) readFields(prefix string, object *ast.StructType) {
	for _, f := range object.Fields.List {
		comment := f.Doc
		if f.Comment != nil {
			comment = f.Comment
		}
		for _, name := range f.Names {
			s.comments[prefix+name.Name] = comment.Text()
		}
	}
}

// of returns the schema of a value, and adds the definitions that it needs. A request must
// have only the members that are tagged as required, and no unknown ones. An answer has all
// members that are not omitted if they are empty.
func (s *schemas) of(value any, request bool) any {
	t := reflect.TypeOf(value)
	if t.Kind() == reflect.Map {
		return map[string]any{"type": "object"}
	}
	reflector := jsonschema.Reflector{
		Anonymous: true, AllowAdditionalProperties: !request, RequiredFromJSONSchemaTags: request,
		Namer: schemaName, Mapper: s.named,
		LookupComment: func(t reflect.Type, field string) string {
			comment := s.comments[typeName(t)+"."+field]
			return strings.ReplaceAll(strings.Join(strings.Fields(comment), " "), t.Name()+" ", schemaName(t)+" ")
		},
	}
	for name, definition := range reflector.ReflectFromType(t).Definitions {
		for p := definition.Properties.Oldest(); p != nil; p = p.Next() {
			allowEmpty(p.Value)
		}
		if other, ok := s.definitions[name]; ok && !reflect.DeepEqual(other, definition) {
			panic("two types have the schema " + name)
		}
		s.definitions[name] = definition
	}
	return reference(schemaName(t))
}

// allowEmpty allows "" for a word or a time if the comment of the member says what it means.
func allowEmpty(p *jsonschema.Schema) {
	if p.Ref != "" && strings.Contains(p.Description, `"":`) {
		p.AnyOf = []*jsonschema.Schema{{Ref: p.Ref}, {Const: ""}}
		p.Ref = ""
	}
}

// named returns a reference to the definition of a type with constants, or of a time.
func (s *schemas) named(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[wire.Timestamp]() {
		return &jsonschema.Schema{Ref: "#/$defs/Timestamp"}
	}
	words := s.words[typeName(t)]
	if t.Kind() != reflect.String || len(words) == 0 {
		return nil
	}
	s.definitions[t.Name()] = &jsonschema.Schema{Type: "string", Enum: words}
	return &jsonschema.Schema{Ref: "#/$defs/" + t.Name()}
}

func typeName(t reflect.Type) string { return path.Base(t.PkgPath()) + "." + t.Name() }

// schemaName returns the name of a type in the document: wireCluster is Cluster.
func schemaName(t reflect.Type) string {
	return title(strings.TrimPrefix(strings.TrimPrefix(t.Name(), "wire"), "Wire"))
}

// title returns a word with a capital.
func title(word string) string {
	if word == "" {
		return ""
	}
	return strings.ToUpper(word[:1]) + word[1:]
}

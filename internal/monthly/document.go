package monthly

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// A Document is a report in one language and one time zone. Its texts are clean but not
// escaped.
type Document struct {
	Language alerting.Language
	Title    string
	Lead     []string // sentences below the title
	Sections []Section
}

// A Section is a part of a document with a table.
type Section struct {
	Heading string
	Level   int // 2 or 3
	Text    string
	Columns []string // nil: no table
	Rows    [][]string
}

// A writer composes a document.
type writer struct {
	language alerting.Language
	zone     *time.Location
	month    Report
	doc      Document
}

// Document returns the report in a language. Its times are those of the month's zone.
func (r Report) Document(language alerting.Language) Document {
	w := &writer{language: language, zone: r.From.Location(), month: r}
	w.doc = Document{Language: language, Title: w.text("Availability in %s", r.From.Format("2006-01"))}
	w.lead()
	w.overview()
	for _, c := range r.Clusters {
		w.cluster(c)
	}
	return w.doc
}

func (w *writer) lead() {
	known := slices.DeleteFunc(slices.Clone(w.month.Clusters), func(c Cluster) bool { return c.Sessions.Probes == 0 })
	var missed []string
	for _, c := range known {
		if !w.month.Met(c) {
			missed = append(missed, clean(c.Name))
		}
	}
	target := strconv.FormatFloat(math.Round(w.month.Target*1e10)/1e8, 'f', -1, 64) + " %"
	sentence := w.text("All clusters with sessions met the target of %s.", target)
	if len(known) == 0 {
		sentence = w.text("There is no data of sessions.")
	} else if len(missed) > 0 {
		sentence = w.text("Below the target of %s: %s.", target, strings.Join(missed, ", "))
	}
	w.doc.Lead = append(w.doc.Lead, sentence,
		w.text("The availability of sessions is the share of requests of stickwatch's clients that were served with their session."))
	if w.month.Until.Before(w.month.To) {
		w.doc.Lead = append(w.doc.Lead, w.text("The month has not ended: this report goes up to %s.", w.time(w.month.Until)))
	}
}

// overview adds a table with a row for each cluster.
func (w *writer) overview() {
	s := Section{Heading: w.text("Clusters"), Level: 2, Columns: w.texts(
		"Cluster", "Sessions", "Target", "Balancers", "Nodes", "Incidents", "Deployments", "Sessions lost in deployments", "Days with data")}
	for _, c := range w.month.Clusters {
		lost := 0
		for _, d := range c.Deployments {
			lost += d.Lost
		}
		s.Rows = append(s.Rows, []string{
			clean(c.Name), ratio(c.Sessions), w.met(c), ratio(worst(c.Uptimes, checks.TargetBalancer)), ratio(worst(c.Uptimes, checks.TargetNode)),
			strconv.Itoa(len(c.Incidents)), strconv.Itoa(len(c.Deployments)), strconv.Itoa(lost), w.text("%d of %d", c.Covered, c.Days),
		})
	}
	w.doc.Sections = append(w.doc.Sections, s)
}

func (w *writer) met(c Cluster) string {
	switch {
	case c.Sessions.Probes == 0:
		return w.text("no data")
	case w.month.Met(c):
		return w.text("met")
	default:
		return w.text("missed")
	}
}

// worst returns the worst uptime of a kind.
func worst(all []checks.Uptime, kind checks.TargetKind) checks.Uptime {
	found := checks.Uptime{Ratio: 2}
	for _, u := range all {
		if u.Kind == kind && u.Probes > 0 && u.Ratio < found.Ratio {
			found = u
		}
	}
	return found
}

func (w *writer) cluster(cluster Cluster) {
	availability := Section{
		Heading: clean(cluster.Name), Level: 2,
		Columns: w.texts("What", "Name", "Availability", "Requests", "Failed", "Longest outage"),
	}
	add := func(what, name string, u checks.Uptime) {
		availability.Rows = append(availability.Rows, []string{
			what, name, ratio(u), strconv.Itoa(u.Probes), strconv.Itoa(u.Failed), w.span(u.Longest),
		})
	}
	if cluster.Sessions.Probes > 0 {
		add(w.text("all sessions"), "", cluster.Sessions)
	}
	for _, kind := range []checks.TargetKind{checks.TargetSession, checks.TargetBalancer, checks.TargetNode, checks.TargetDependency} {
		for _, u := range cluster.Uptimes {
			if u.Kind == kind && u.Probes > 0 {
				add(w.kind(kind), cmp.Or(clean(checks.BalancerLabel(u.Name)), w.text("owner unknown")), u)
			}
		}
	}
	if len(availability.Rows) == 0 {
		availability.Text, availability.Columns = w.text("Nothing was probed."), nil
	}
	w.doc.Sections = append(w.doc.Sections, availability)
	w.incidents(cluster)
	w.deployments(cluster)
}

func (w *writer) kind(k checks.TargetKind) string {
	return w.text(map[checks.TargetKind]string{
		checks.TargetSession: "sessions of", checks.TargetBalancer: "balancer", checks.TargetNode: "node", checks.TargetDependency: "dependency",
	}[k])
}

// span returns a duration to the second.
func (w *writer) span(d time.Duration) string {
	return checks.Language(w.language).Span(d.Round(time.Second))
}

func (w *writer) incidents(c Cluster) {
	if len(c.Incidents) == 0 {
		return
	}
	s := Section{Heading: w.text("Incidents of %s", clean(c.Name)), Level: 3, Columns: w.texts("Begin", "Duration", "Severity", "Affected", "What happened", "ID")}
	for _, i := range slices.Backward(c.Incidents) {
		i.Cause.Summary = i.Cause.Summary.InZone(w.zone)
		s.Rows = append(s.Rows, []string{
			w.time(i.Started), w.span(i.Duration(w.month.Until)), w.text(string(i.Severity)),
			clean(w.language.Affected(i.Affected())), clean(w.language.Summary(i)), i.ID,
		})
	}
	w.doc.Sections = append(w.doc.Sections, s)
}

func (w *writer) deployments(c Cluster) {
	if len(c.Deployments) == 0 {
		return
	}
	s := Section{Heading: w.text("Deployments of %s", clean(c.Name)), Level: 3, Columns: w.texts(
		"Begin", "Duration", "Name", "Sessions moved", "Sessions lost", "Longest outage")}
	for _, d := range c.Deployments {
		length := w.text("not ended")
		if !d.To.IsZero() {
			length = w.span(d.To.Sub(d.From))
		}
		s.Rows = append(s.Rows, []string{
			w.time(d.From), length, clean(d.Name), strconv.Itoa(d.Moved), strconv.Itoa(d.Lost), w.span(d.Longest),
		})
	}
	w.doc.Sections = append(w.doc.Sections, s)
}

func (w *writer) time(t time.Time) string { return t.In(w.zone).Format("2006-01-02 15:04 MST") }

// ratio formats an availability; "–" without data.
func ratio(u checks.Uptime) string {
	if u.Probes == 0 {
		return "–"
	}
	return wire.Percent(u.Ratio)
}

// maxText bounds a text of a target in a cell.
const maxText = 300

func clean(s string) string { return probes.Clean(s, maxText) }

func (w *writer) texts(all ...string) []string {
	translated := make([]string, len(all))
	for i, text := range all {
		translated[i] = w.text(text)
	}
	return translated
}

// text translates a text and formats its arguments.
func (w *writer) text(text string, args ...any) string {
	if translated, ok := inChinese[text]; ok && w.language == alerting.Chinese {
		text = translated
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// inChinese has the Chinese of every text of this package.
var inChinese = map[string]string{
	"Availability in %s": "%s 可用性报告",
	"All clusters with sessions met the target of %s.": "所有有会话数据的集群均达到 %s 的目标。",
	"There is no data of sessions.":                    "没有会话数据。",
	"Below the target of %s: %s.":                      "未达到 %s 目标的集群：%s。",
	"The availability of sessions is the share of requests of stickwatch's clients that were served with their session.": "会话可用性是指 stickwatch 的客户端请求中，带着自己的会话得到正常响应的比例。",
	"The month has not ended: this report goes up to %s.":                                                                "本月尚未结束：报告截至 %s。",
	"Clusters": "集群", "Cluster": "集群", "Sessions": "会话", "Target": "目标", "Balancers": "负载均衡器", "Nodes": "节点",
	"Incidents": "事件", "Deployments": "发布", "Sessions lost in deployments": "发布中丢失的会话", "Days with data": "有数据的天数",
	"%d of %d": "%d/%d", "no data": "无数据", "met": "达到", "missed": "未达到",
	"What": "对象", "Name": "名称", "Availability": "可用性", "Requests": "请求数", "Failed": "失败", "Longest outage": "最长中断",
	"all sessions": "全部会话", "owner unknown": "所属节点未知", "Nothing was probed.": "没有探测数据。",
	"sessions of": "会话所属节点", "balancer": "负载均衡器", "node": "节点", "dependency": "依赖服务",
	"Incidents of %s": "%s 的事件", "Begin": "开始", "Duration": "时长", "Severity": "级别", "Affected": "影响范围", "What happened": "经过", "ID": "编号",
	"Deployments of %s": "%s 的发布", "Sessions moved": "转移的会话", "Sessions lost": "丢失的会话", "not ended": "未结束",
	"critical": "严重", "warning": "警告", "info": "信息",
}

// long reports whether a cell is a sentence, which may take several lines.
func long(cell string) bool { return utf8.RuneCountInString(cell) > 24 }

var fragment = template.Must(template.New("monthly").Funcs(template.FuncMap{"long": long}).Parse(`<h1>{{.Title}}</h1>
{{range .Lead}}<p>{{.}}</p>
{{end}}
{{- range .Sections}}
{{if eq .Level 2}}<h2>{{.Heading}}</h2>{{else}}<h3>{{.Heading}}</h3>{{end}}
{{with .Text}}<p>{{.}}</p>
{{end}}
{{- if .Columns}}<div class="scroll" tabindex="0"><table class="list"><caption class="sr">{{.Heading}}</caption>
<thead><tr>{{range .Columns}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>
{{range .Rows}}<tr>{{range .}}<td{{if long .}} class="long"{{end}}>{{.}}</td>{{end}}</tr>
{{end}}</tbody></table></div>
{{end}}
{{- end}}`))

// WriteCSV writes the title and each table with its heading in a line of its own, and an empty
// line before each table. A program should read the JSON instead.
func (d Document) WriteCSV(w io.Writer) error {
	rows := [][]string{{d.Title}}
	for _, s := range d.Sections {
		rows = append(rows, nil, []string{s.Heading}, s.Columns)
		rows = append(rows, s.Rows...)
	}
	return wire.WriteCSV(w, rows)
}

// WriteHTML writes the document as an HTML fragment: headings, paragraphs and tables.
func (d Document) WriteHTML(w io.Writer) error { return fragment.Execute(w, d) }

package evidence

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stickwatch/probes"
)

// HAProxyStats reads the statistics page at u as CSV; ";csv" is added to u if it is
// missing. It returns the servers of one backend; "" means all backends. A nil client
// means a default one.
func HAProxyStats(ctx context.Context, client *http.Client, u *url.URL, backend string) probes.EvidenceObservation {
	p := page{
		kind: probes.EvidenceHAProxyStats,
		name: "haproxy stats",
		url:  withCSV(u),
		parse: func(body []byte, at time.Time) ([]probes.ServerEvidence, error) {
			return parseHAProxy(body, at, backend)
		},
		empty: "it names no server",
	}
	if backend != "" {
		p.empty += " of backend " + probes.Clean(strconv.Quote(backend), maxName)
	}
	return p.read(ctx, client)
}

// withCSV adds ";csv" to the end of the path, where HAProxy reads options, even those
// of a page that it serves at "/stats?page".
func withCSV(u *url.URL) *url.URL {
	v := *u
	switch {
	case strings.Contains(v.RequestURI(), ";csv"):
	case v.RawQuery != "":
		v.RawQuery += ";csv"
	default:
		v.Path, v.RawPath = strings.TrimSuffix(v.Path, ";")+";csv", ""
		if !strings.HasPrefix(v.Path, "/") {
			v.Path = "/" + v.Path
		}
	}
	return &v
}

var errNotCSV = errors.New("the answer is not HAProxy's CSV: want a URL that serves the statistics (stats enable)")

// parseHAProxy reads the rows of servers. It finds columns by their names, because
// every version adds some.
func parseHAProxy(body []byte, at time.Time, backend string) ([]probes.ServerEvidence, error) {
	body, ok := bytes.CutPrefix(body, []byte("# "))
	if !ok {
		return nil, errNotCSV
	}
	reader := csv.NewReader(bytes.NewReader(body))
	reader.FieldsPerRecord, reader.LazyQuotes, reader.ReuseRecord = -1, true, true
	header, err := reader.Read()
	if err != nil {
		return nil, errNotCSV
	}
	columns := make(map[string]int, len(header))
	for i, name := range header {
		columns[name] = i
	}
	for _, name := range []string{"pxname", "svname", "status"} {
		if _, ok := columns[name]; !ok {
			return nil, errNotCSV
		}
	}
	var list []probes.ServerEvidence
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, errNotCSV
		}
		if h := (haproxyRow{columns, row}); h.isServer(backend) {
			list = append(list, h.server(at))
		}
	}
}

// A haproxyRow is a row of the CSV with its header.
type haproxyRow struct {
	columns map[string]int
	fields  []string
}

// get returns a field in one clean line; "" if there is no such column.
func (h haproxyRow) get(column string) string {
	i, ok := h.columns[column]
	if !ok || i >= len(h.fields) {
		return ""
	}
	return probes.Clean(h.fields[i], maxName)
}

// number returns a field as a number, 0 and false if it is none or negative.
func (h haproxyRow) number(column string) (int, bool) {
	n, err := strconv.ParseUint(h.get(column), 10, 31)
	if err != nil {
		return 0, false
	}
	return int(n), true
}

// isServer reports whether the row is that of a server of the backend. Totals have
// rows, too, and so do listeners under "option socket-stats".
func (h haproxyRow) isServer(backend string) bool {
	const server = "2"
	if kind := h.get("type"); kind != "" && kind != server {
		return false
	}
	name, pool := h.get("svname"), h.get("pxname")
	return name != "" && name != "FRONTEND" && name != "BACKEND" && (backend == "" || pool == backend)
}

func (h haproxyRow) server(at time.Time) probes.ServerEvidence {
	status := h.get("status")
	server := probes.ServerEvidence{
		Pool:    h.get("pxname"),
		Server:  h.get("svname"),
		Address: h.get("addr"),
		State:   haproxyState(status),
		Detail:  h.detail(status),

		Unchecked: status == unchecked,
	}
	server.Fails, _ = h.number("chkfail")
	server.Downs, _ = h.number("chkdown")
	if weight, ok := h.number("weight"); ok && weight == 0 && server.State == probes.ServerUp {
		server.State = probes.ServerDraining // HAProxy 2.6 reports UP, but sends no new sessions
	}
	const lifetime = 10 * 365 * 24 * 60 * 60 // seconds; a greater value is invalid, and could overflow
	if ago, ok := h.number("lastchg"); ok && ago < lifetime {
		server.Since = at.Add(-time.Duration(ago) * time.Second).Truncate(time.Second)
	}
	return server
}

// detail returns the status and the result of the last health check.
func (h haproxyRow) detail(status string) string {
	parts := []string{status}
	if weight, ok := h.number("weight"); ok && weight == 0 {
		parts = append(parts, "weight 0")
	}
	if check := strings.TrimSpace(h.get("check_status") + " " + h.get("check_code")); check != "" {
		parts = append(parts, check)
	}
	if check := h.get("last_chk"); check != "" {
		parts = append(parts, check)
	}
	return probes.Clean(strings.Join(parts, ", "), probes.MaxError)
}

// unchecked is the status of a server without "check" in its line.
const unchecked = "no check"

// haproxyState maps the states of HAProxy's statistics (stats.c). "UP 1/3" is going
// down, "DOWN 1/2" is going up, NOLB keeps its sessions, and "no check" receives
// requests whether or not they succeed.
func haproxyState(status string) probes.ServerState {
	word, _, _ := strings.Cut(status, " ")
	switch word {
	case "UP":
		return probes.ServerUp
	case "DOWN":
		return probes.ServerDown
	case "NOLB", "DRAIN":
		return probes.ServerDraining
	case "MAINT":
		return probes.ServerMaintenance
	}
	if status == unchecked {
		return probes.ServerUp
	}
	return probes.ServerUnknown
}

package lab

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/alertmanager"
	"stickwatch/alerting/message"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// A webhookReceiver collects the requests of Alertmanager's webhook.
type webhookReceiver struct {
	*httptest.Server
	mu    sync.Mutex
	pages []page
}

// A page is an alert in Alertmanager's webhook format.
type page struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

func newWebhookReceiver(t *testing.T) *webhookReceiver {
	t.Helper()
	o := new(webhookReceiver)
	o.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			Alerts []page `json:"alerts"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("decoding what Alertmanager says: %v", err)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.pages = append(o.pages, body.Alerts...)
	}))
	t.Cleanup(o.Close)
	return o
}

// find returns the first page with a status and a severity; nil if there is none.
func (w *webhookReceiver) find(status string, severity checks.Severity) *page {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.pages {
		if p.Status == status && p.Labels["severity"] == string(severity) {
			return &p
		}
	}
	return nil
}

// await waits for the page that find returns.
func (w *webhookReceiver) await(t *testing.T, status string, severity checks.Severity) page {
	t.Helper()
	var found *page
	await(t, status+" "+string(severity), func() bool {
		found = w.find(status, severity)
		return found != nil
	})
	return *found
}

// shown returns the labels of the alerts that Alertmanager lists as active.
func (a *AlertmanagerServer) shown(t *testing.T) []map[string]string {
	t.Helper()
	_, body := get(t, a.URL()+"/api/v2/alerts")
	var alerts []struct {
		Labels map[string]string `json:"labels"`
	}
	if err := json.Unmarshal([]byte(body), &alerts); err != nil {
		t.Fatalf("decoding the alerts %q: %v", body, err)
	}
	var all []map[string]string
	for _, one := range alerts {
		all = append(all, one.Labels)
	}
	return all
}

// receiver returns stickwatch's receiver for the server.
func (a *AlertmanagerServer) receiver(t *testing.T, resend time.Duration) *alertmanager.Alertmanager {
	t.Helper()
	address := must.URL(a.URL())
	r, err := alertmanager.New(alertmanager.Config{
		URL: address, Resend: resend, Writer: message.Writer{Page: &url.URL{Scheme: "https", Host: "stickwatch.example"}},
	})
	must.Succeed(t, err)
	return r
}

// A notificationSource creates notifications from findings, as the daemon does.
type notificationSource struct {
	incidentManager *alerting.Manager
	ledger          *checks.Ledger
}

func newNotificationSource() *notificationSource {
	return &notificationSource{
		alerting.NewManager(alerting.Config{Receivers: []string{"am"}}, nil),
		checks.NewLedger(checks.Damping{}),
	}
}

// observe processes the findings of a round.
func (n *notificationSource) observe(at time.Time, findings ...checks.Finding) []alerting.Notification {
	changes := n.ledger.Update(checks.Report{Cluster: "shop", Started: at, Findings: findings})
	return n.incidentManager.Observe(at, "shop", changes, n.ledger.Active()).Notifications
}

func send(t *testing.T, to *alertmanager.Alertmanager, kind alerting.NotificationKind, notifications []alerting.Notification) alerting.Incident {
	t.Helper()
	if len(notifications) != 1 || notifications[0].Kind != kind {
		t.Fatalf("got %d notifications %+v, want one: %s", len(notifications), notifications, kind)
	}
	if _, err := to.Notify(t.Context(), notifications[0]); err != nil {
		t.Fatal(err)
	}
	return notifications[0].Incident
}

// TestAlertmanager follows an incident from its findings to the webhook.
func TestAlertmanager(t *testing.T) {
	t.Parallel()
	people := newWebhookReceiver(t)
	server := Alertmanager(t, AlertmanagerConfig{Webhook: people.URL})
	receiver, news := server.receiver(t, 0), newNotificationSource()

	down := checks.Finding{
		Code: checks.NodeDown, Severity: checks.Warning, Node: "node2", Nodes: []string{"node2"},
		Summary: checks.Quote("node2 is down."), Remedy: checks.Quote("Start node2."), Evidence: []checks.Message{checks.Quote("GET /status: connection refused")},
	}
	began := time.Now().Add(-10 * time.Minute).UTC().Truncate(time.Millisecond)
	i := send(t, receiver, alerting.NotificationFired, news.observe(began, down))
	got := people.await(t, "firing", checks.Warning)
	want := page{
		Status:       "firing",
		Labels:       map[string]string{"alertname": "node_down", "cluster": "shop", "node": "node2", "severity": "warning", "incident": i.ID},
		Annotations:  map[string]string{"summary": "node2 is down.", "remedy": "Start node2.", "description": got.Annotations["description"]},
		StartsAt:     began,
		GeneratorURL: "https://stickwatch.example/incidents/" + i.ID,
	}
	expect.Equal(t, "what fires", want, got)
	expect.Equal(t, "what Alertmanager shows", []map[string]string{want.Labels}, server.shown(t))

	down.Severity = checks.Critical
	i = send(t, receiver, alerting.NotificationDeveloped, news.observe(began.Add(time.Minute), down))
	people.await(t, "firing", checks.Critical)
	people.await(t, "resolved", checks.Warning)
	must.Succeed(t, receiver.Refresh(t.Context(), []alerting.Incident{i}))
	want.Labels["severity"] = "critical"
	expect.Equal(t, "what Alertmanager shows of a worse incident", []map[string]string{want.Labels}, server.shown(t))

	i = send(t, receiver, alerting.NotificationResolved, news.observe(began.Add(2*time.Minute)))
	got = people.await(t, "resolved", checks.Critical)
	if !got.StartsAt.Equal(i.Started) || !got.EndsAt.Equal(i.Ended) {
		t.Errorf("got from %v to %v, want from %v to %v", got.StartsAt, got.EndsAt, i.Started, i.Ended)
	}
	if got := server.shown(t); got != nil {
		t.Errorf("Alertmanager still shows %v", got)
	}
}

// TestAlertmanagerForgets checks that an alert fires while it is repeated, and expires
// without repetition.
func TestAlertmanagerForgets(t *testing.T) {
	t.Parallel()
	people := newWebhookReceiver(t)
	server := Alertmanager(t, AlertmanagerConfig{Webhook: people.URL})
	receiver := server.receiver(t, 300*time.Millisecond)
	finding := checks.Finding{Code: checks.BalancerDown, Severity: checks.Critical, Summary: checks.Quote("The balancer is down.")}
	i := send(t, receiver, alerting.NotificationFired, newNotificationSource().observe(time.Now(), finding))
	await(t, "firing", func() bool {
		must.Succeed(t, receiver.Refresh(t.Context(), []alerting.Incident{i}))
		return people.find("firing", checks.Critical) != nil
	})
	people.await(t, "resolved", checks.Critical)
}

package lab

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/message"
	"stickwatch/alerting/shoutrrr"
	"stickwatch/checks"
	"stickwatch/internal/must"
)

type serviceURL string

func (u serviceURL) Reveal() string { return string(u) }

// mailer returns a notifier that sends mail through Exim.
func mailer(t *testing.T, server *EximServer, password, to, more string) alerting.Notifier {
	t.Helper()
	n, err := shoutrrr.New(shoutrrr.Config{
		URL:    serviceURL(fmt.Sprintf("smtp://%s:%s@%s/?from=watch@shop.example&to=%s%s", User, password, server.Addr(), to, more)),
		Writer: message.Writer{Language: alerting.Chinese},
	})
	must.Succeed(t, err)
	return n
}

// TestMail follows an incident to the mailbox of a real mail server.
func TestMail(t *testing.T) {
	t.Parallel()
	certFile, keyFile, _ := certificate(t, time.Hour)
	server := Exim(t, certFile, keyFile, 20_000)
	down := checks.Finding{
		Code: checks.NodeDown, Severity: checks.Critical, Node: "node2\r\n.\r\nRSET", Summary: checks.Quote("node2 is down: 停机"),
		Evidence: []checks.Message{checks.Quote(".\r\nQUIT\r\n"), checks.Quote(strings.Repeat("界", 300))},
	}
	n := alerting.Notification{ID: "a/b/1", Kind: alerting.NotificationFired, At: time.Now()}
	n.Incident = alerting.Incident{ID: "a", Cluster: "shop", State: alerting.Firing, Severity: checks.Critical, Cause: down, Started: time.Now()}
	n.Incident.Findings = []alerting.Member{{ActiveFinding: checks.ActiveFinding{Finding: down, Since: n.At}, Cluster: "shop"}}

	const trust = "&skiptlsverify=yes"
	for _, tt := range []struct{ name, password, to, more, want string }{
		{"accepted", Password, "ops@shop.example", trust, "<nil>"},
		{"without TLS", Password, "ops@shop.example", "&encryption=None", "<nil>"},
		{"one recipient of two", Password, "nobody@shop.example,boss@shop.example", trust, "<nil>"},
		{"untrusted certificate", Password, "ops@shop.example", "", "in 1m0s: the mail server did not accept TLS: tls: failed to verify certificate"},
		{"wrong password", "hunter2", "ops@shop.example", trust, `in 1m0s: the mail server refused the user name or password: 535 "Incorrect authentication data"`},
		{"no recipient", Password, "nobody@shop.example", trust, `in 1m0s: the mail server refused the recipient "nobody@shop.example": 550 "no such user"`},
		{"no user", Password, "ops@shop.example", trust + "&auth=none", `in 1m0s: the mail server refused the recipient "ops@shop.example": 550 "authenticate first"`},
	} {
		_, err := mailer(t, server, tt.password, tt.to, tt.more).Notify(t.Context(), n)
		got := fmt.Sprint(err)
		if r, ok := errors.AsType[alerting.Retriable](err); ok {
			got = fmt.Sprintf("in %v: %v", r.After, r)
		}
		if !strings.HasPrefix(got, tt.want) || strings.Contains(got, "hunter2") {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	await(t, "three mails", func() bool { return strings.Count(server.Mails(t), "Message-ID: ") == 3 })
	mails := server.Mails(t)
	for _, want := range []string{"From: \"stickwatch\" <watch@shop.example>", "To: ops@shop.example", "Subject: =?utf-8?b?", "for boss@shop.example"} {
		if !strings.Contains(mails, want) {
			t.Errorf("got no %q in %s", want, mails)
		}
	}
}

// TestMailTooLarge: a mail that the server takes for too large is offered with the
// headline and the links only.
func TestMailTooLarge(t *testing.T) {
	t.Parallel()
	certFile, keyFile, _ := certificate(t, time.Hour)
	server := Exim(t, certFile, keyFile, 4000)
	f := checks.Finding{Code: checks.NodeDown, Severity: checks.Warning, Node: "node2", Summary: checks.Quote(strings.Repeat("界", 160))}
	n := alerting.Notification{ID: "a/b/1", Kind: alerting.NotificationFired, At: time.Now(), Incident: alerting.Incident{
		ID: "a", Cluster: "shop", State: alerting.Firing, Severity: checks.Warning, Cause: f, Started: time.Now(),
		Findings: []alerting.Member{{ActiveFinding: checks.ActiveFinding{Finding: f, Since: time.Now()}, Cluster: "shop"}},
	}}
	for range 20 {
		m := n.Incident.Findings[0]
		m.Code, m.Node = checks.Slow, strings.Repeat("n", 90)
		n.Incident.Findings = append(n.Incident.Findings, m)
	}
	if _, err := mailer(t, server, Password, "ops@shop.example", "&skiptlsverify=yes").Notify(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	await(t, "a mail", func() bool { return strings.Contains(server.Mails(t), "Message-ID: ") })
}

package shoutrrr

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
	"stickwatch/checks"
	"stickwatch/probes"
)

// A mailer sends mail through a server. The mails of an incident are one thread, and a
// mail that is sent again has the Message-ID of the first attempt.
type mailer struct {
	host, port string
	user       *url.Userinfo
	from       mail.Address
	to         []string
	client     string // its name in EHLO
	auth       string // plain, login or none; "": what the server offers
	implicit   bool   // TLS from the beginning
	startTLS   bool   // if the server offers it
	mustTLS    bool
	tls        *tls.Config
	logger     *slog.Logger

	mu   sync.Mutex
	sent map[string][]string // recipients that have a notification which others do not have yet
}

// The bounds of a mail's text in bytes.
const (
	maxMail    = 60_000
	shortMail  = 1000
	maxSubject = 200
)

// newSMTP returns a mailer:
// smtp://USER:PASSWORD@HOST:PORT/?from=ADDRESS&to=ADDRESS,ADDRESS.
func newSMTP(u *url.URL, p *parameters) (service, error) {
	s := &mailer{
		host: u.Hostname(), port: cmp.Or(u.Port(), "25"), user: u.User,
		client:   cmp.Or(p.take("clienthost"), "localhost"),
		auth:     strings.ToLower(p.take("auth")),
		logger:   slog.New(slog.DiscardHandler),
		startTLS: true,
		sent:     map[string][]string{},
	}
	s.tls = &tls.Config{ServerName: s.host, InsecureSkipVerify: p.takeBool("skiptlsverify")}
	from, err := mail.ParseAddress(p.take("from", "fromaddress"))
	if s.host == "" || err != nil || !ascii(from.Address) {
		return nil, errors.New("has no host or no sender: expected smtp://USER:PASSWORD@HOST:PORT/?from=ADDRESS&to=ADDRESS")
	}
	s.from = mail.Address{Name: cmp.Or(p.take("fromname"), "stickwatch"), Address: from.Address}
	for _, text := range list(p.take("to", "toaddresses")) {
		to, err := mail.ParseAddress(text)
		if err != nil || !ascii(to.Address) {
			return nil, errors.New("has a recipient that is not an address: expected to=ADDRESS,ADDRESS")
		}
		s.to = append(s.to, to.Address)
	}
	if len(s.to) == 0 {
		return nil, errors.New("has no recipient: expected to=ADDRESS,ADDRESS")
	}
	if !slices.Contains([]string{"", "plain", "login", "none"}, s.auth) {
		return nil, errors.New("has an unknown auth: expected plain, login or none")
	}
	return s, s.encryption(p)
}

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > '~' })
}

func (m *mailer) encryption(p *parameters) error {
	kind := strings.ToLower(p.take("encryption"))
	m.mustTLS = p.takeBool("requirestarttls") || kind == "explicittls"
	m.implicit = kind == "implicittls" || kind != "none" && m.port == "465"
	if text := p.take("usestarttls", "starttls"); kind == "none" || slices.Contains([]string{"no", "false", "0"}, strings.ToLower(text)) {
		m.startTLS = false
	}
	if !slices.Contains([]string{"", "auto", "none", "explicittls", "implicittls"}, kind) {
		return errors.New("has an unknown encryption: expected Auto, ExplicitTLS, ImplicitTLS or None")
	}
	return nil
}

func (m *mailer) send(ctx context.Context, n alerting.Notification, text message.Message) (alerting.DeliveryRef, error) {
	id := m.messageID(n.ID)
	ref := alerting.DeliveryRef{Thread: cmp.Or(n.Thread, id)}
	return ref, post.SendWithin(func(limit int) error {
		return m.deliver(ctx, n.ID, m.compose(id, n.Thread, n.At, text, limit))
	}, maxMail, shortMail)
}

// messageID returns the same Message-ID for every attempt to send a notification.
func (m *mailer) messageID(id string) string {
	sum := sha256.Sum256([]byte(id))
	_, domain, _ := strings.Cut(m.from.Address, "@")
	return "<" + hex.EncodeToString(sum[:16]) + "@" + domain + ">"
}

// compose returns a mail. Words of targets are in its encoded body and subject only, so
// they add no header.
func (m *mailer) compose(id, thread string, at time.Time, text message.Message, limit int) []byte {
	var out bytes.Buffer
	header := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&out, "%s: %s\r\n", name, value)
		}
	}
	header("From", m.from.String())
	header("To", strings.Join(m.to, ", "))
	header("Subject", mime.BEncoding.Encode("utf-8", message.Text.Fit(text.Headline, maxSubject)))
	header("Date", at.Format(time.RFC1123Z))
	header("Message-ID", id)
	if thread != id {
		header("In-Reply-To", thread)
		header("References", thread)
	}
	header("Auto-Submitted", "auto-generated") // nobody's absence answers it
	if text.Severity == checks.Critical && !text.Resolved {
		header("Importance", "high")
	}
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "base64") // shorter than others for Chinese
	body := strings.ReplaceAll(text.Render(message.Text, limit)+"\n", "\n", "\r\n")
	out.WriteString("\r\n")
	const perLine = 57 // bytes, which are 76 characters
	for part := range slices.Chunk([]byte(body), perLine) {
		out.WriteString(base64.StdEncoding.EncodeToString(part) + "\r\n")
	}
	return out.Bytes()
}

// deliver hands a mail to the server, for the recipients that do not have it yet.
func (m *mailer) deliver(ctx context.Context, notification string, content []byte) error {
	client, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Mail(m.from.Address); err != nil {
		return refused("the sender", err)
	}
	accepted, later, err := m.recipients(client, notification)
	switch {
	case len(accepted) == 0 && later != nil:
		return later
	case len(accepted) == 0:
		return err
	}
	w, err := client.Data()
	if err == nil {
		_, err = w.Write(content)
		err = errors.Join(err, w.Close())
	}
	switch e := refused("the mail", err); {
	case code(err) >= 500: // its size or its words
		return alerting.Permanent{Err: e}
	case err != nil:
		return e
	}
	_ = client.Quit() // the mail is accepted whatever it answers
	return m.remember(notification, accepted, later)
}

// recipients names the recipients that do not have a notification yet. It returns those
// that the server accepts, the error of one that it may accept later, and the error of
// one that it refuses.
func (m *mailer) recipients(c *smtp.Client, notification string) (accepted []string, later, err error) {
	m.mu.Lock()
	have := m.sent[notification]
	m.mu.Unlock()
	for _, to := range m.to {
		if slices.Contains(have, to) {
			continue
		}
		answer := c.Rcpt(to)
		switch e := refused(fmt.Sprintf("the recipient %q", to), answer); {
		case answer == nil:
			accepted = append(accepted, to)
		case code(answer) >= 500:
			err = e
			m.logger.Warn("a recipient is refused", "err", e)
		default:
			later = e
		}
	}
	if len(have) > 0 {
		err = nil // it is logged, and the others have it
	}
	return accepted, later, err
}

// remember records who has a notification while others are to get it later.
func (m *mailer) remember(notification string, accepted []string, later error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if later == nil {
		delete(m.sent, notification)
		return nil
	}
	m.sent[notification] = append(m.sent[notification], accepted...)
	return later
}

// connect opens a connection, encrypted and authenticated as configured.
func (m *mailer) connect(ctx context.Context) (*smtp.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, post.Timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(m.host, m.port))
	if err != nil {
		return nil, alerting.Retriable{Err: fmt.Errorf("connecting to the mail server: %w", err)}
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline) // a connection that was just opened
	if m.implicit {
		conn = tls.Client(conn, m.tls)
	}
	c, err := smtp.NewClient(conn, m.host)
	if err != nil {
		conn.Close()
		return nil, refused("the connection", err)
	}
	if err := m.introduce(c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (m *mailer) introduce(client *smtp.Client) error {
	if err := client.Hello(m.client); err != nil {
		return refused("the connection", err)
	}
	if offered, _ := client.Extension("STARTTLS"); offered && m.startTLS && !m.implicit {
		if err := client.StartTLS(m.tls); err != nil {
			return refused("TLS", err)
		}
	} else if m.mustTLS && !m.implicit {
		return alerting.Retriable{After: post.RepairPause, Err: errors.New("the mail server does not offer STARTTLS")}
	}
	offered, mechanisms := client.Extension("AUTH")
	if m.user == nil || m.auth == "none" || !offered && m.auth == "" {
		return nil
	}
	password, _ := m.user.Password()
	auth := smtp.PlainAuth("", m.user.Username(), password, m.host)
	if m.auth == "login" || m.auth == "" && !slices.Contains(strings.Fields(mechanisms), "PLAIN") {
		auth = loginAuth{auth, m.user.Username(), password}
	}
	if err := client.Auth(auth); err != nil {
		return refused("the user name or password", err)
	}
	return nil
}

// refused says what the server did not accept, and that it may do so later: after a
// minute, if somebody has to correct the configuration.
func refused(what string, err error) error {
	switch answer, coded := errors.AsType[*textproto.Error](err); {
	case err == nil:
		return nil
	case !coded:
		_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
		_, noTLS := errors.AsType[tls.RecordHeaderError](err)
		err = fmt.Errorf("the mail server did not accept %s: %w", what, err)
		if untrusted || noTLS || strings.Contains(err.Error(), "unencrypted connection") { // of smtp.PlainAuth
			return alerting.Retriable{After: post.RepairPause, Err: err}
		}
		return alerting.Retriable{Err: err}
	default:
		err = fmt.Errorf("the mail server refused %s: %d %q", what, answer.Code, probes.Clean(answer.Msg, post.MaxReason))
		if answer.Code < 500 {
			return alerting.Retriable{Err: err}
		}
		return alerting.Retriable{After: post.RepairPause, Err: err}
	}
}

// code returns the code in an answer of the server; 0: there is none.
func code(err error) int {
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return answer.Code
	}
	return 0
}

// loginAuth is the mechanism LOGIN. It is as careful with the password as PLAIN.
type loginAuth struct {
	plain          smtp.Auth
	user, password string
}

// Start implements smtp.Auth.
func (a loginAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if _, _, err := a.plain.Start(server); err != nil {
		return "", nil, err
	}
	return "LOGIN", nil, nil
}

// Next implements smtp.Auth.
func (a loginAuth) Next(question []byte, more bool) ([]byte, error) {
	switch text := strings.ToLower(string(question)); {
	case !more:
		return nil, nil
	case strings.HasPrefix(text, "user"):
		return []byte(a.user), nil
	case strings.HasPrefix(text, "pass"):
		return []byte(a.password), nil
	default:
		return nil, errors.New("the mail server asks an unknown question")
	}
}

package shoutrrr_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/internal/receivertest"
	"stickwatch/alerting/message"
	"stickwatch/alerting/shoutrrr"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

type secret string

func (s secret) Reveal() string { return string(s) }

// A mailServer is a mail server that gives other answers to some commands. The lab has a
// real one.
type mailServer struct {
	net.Listener
	answers map[string]string // by the beginning of a line of the client; "mail" is the end of a mail

	mu    sync.Mutex
	lines []string
	mails []string
}

func startMailServer(t *testing.T, answers map[string]string) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must.Succeed(t, err)
	s := &mailServer{Listener: l, answers: answers}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return s
}

func (s *mailServer) serve(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewReader(conn)
	say := func(text string) { io.WriteString(conn, text+"\r\n") }
	say(s.answer("connect", "220 test"))
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		s.mu.Lock()
		s.lines = append(s.lines, line)
		s.mu.Unlock()
		switch verb, _, _ := strings.Cut(line, " "); verb {
		case "EHLO":
			say(s.answer(line, "250-test\r\n250 AUTH LOGIN PLAIN"))
		case "DATA":
			say(s.answer(line, "354 go on"))
			s.receive(lines)
			say(s.answer("mail", "250 ok"))
		case "QUIT":
			say("221 bye")
			return
		default:
			say(s.answer(line, "250 ok"))
		}
	}
}

func (s *mailServer) receive(lines *bufio.Reader) {
	var b strings.Builder
	for {
		line, err := lines.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, b.String())
}

// answer returns the answer to a line, and uses up one of several, separated by "|".
func (s *mailServer) answer(line, otherwise string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for begin, answers := range s.answers {
		if strings.HasPrefix(line, begin) {
			first, rest, several := strings.Cut(answers, "|")
			if several {
				s.answers[begin] = rest
			}
			return first
		}
	}
	return otherwise
}

func (s *mailServer) mailer(t *testing.T, user, more string, logger *slog.Logger) alerting.Notifier {
	t.Helper()
	n, err := shoutrrr.New(shoutrrr.Config{
		URL:    secret(fmt.Sprintf("smtp://%s%s/?from=watch@shop.example&to=ops@shop.example,boss@shop.example%s", user, s.Addr(), more)),
		Logger: logger,
	})
	must.Succeed(t, err)
	return n
}

func (s *mailServer) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// TestMail: the mails of an incident are a thread with a stable id, and have the whole
// message.
func TestMail(t *testing.T) {
	s := startMailServer(t, nil)
	n := s.mailer(t, "", "&fromname=值班", nil)
	thread := ""
	for _, what := range []alerting.Notification{example.Fired(), example.Fired(), example.Resolved()} {
		what.Thread = thread
		ref, err := n.Notify(t.Context(), what)
		must.Succeed(t, err)
		thread = ref.Thread
	}
	var got []string
	for _, text := range s.received() {
		m, err := mail.ReadMessage(strings.NewReader(text))
		must.Succeed(t, err)
		subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		must.Succeed(t, err)
		got = append(got, fmt.Sprint(subject, " id=", m.Header.Get("Message-ID") == thread, " reply=", m.Header.Get("In-Reply-To") == thread, " ", m.Header.Get("Importance")))
		body, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, m.Body))
		want := message.Writer{}.Write(example.Fired()).Plain() + "\r\n"
		if first := strings.ReplaceAll(string(body), "\r\n", "\n"); len(got) == 1 && first != strings.ReplaceAll(want, "\r\n", "\n") {
			t.Errorf("body, error %v (-want +got):\n%s", err, cmp.Diff(want, first))
		}
	}
	want := []string{
		"[Critical] shop: Dependency down id=true reply=false high",
		"[Critical] shop: Dependency down id=true reply=false high", // another attempt
		"[Resolved] shop: Dependency down id=false reply=true ",
	}
	expect.Equal(t, "mails", want, got)
}

// TestMailHostile: no text from a target adds a header or ends the mail.
func TestMailHostile(t *testing.T) {
	s := startMailServer(t, nil)
	what := example.Hostile()
	what.Incident.Cluster = "shop\r\nBcc: all@shop.example\r\n\r\n.\r\nQUIT\r\n"
	if _, err := s.mailer(t, "", "", nil).Notify(t.Context(), what); err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(strings.NewReader(s.received()[0]))
	if err != nil || m.Header.Get("Bcc") != "" || len(m.Header) > 12 {
		t.Errorf("got headers %v, error %v", m.Header, err)
	}
	for line := range strings.Lines(s.received()[0]) {
		if len(line) > 1000 || strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
			t.Errorf("got the line %.200q, want at most 998 bytes of ASCII", line)
		}
	}
}

// TestMailErrors: each answer of a server has its meaning.
func TestMailErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		user, more string
		answers    map[string]string
		want       string
	}{
		"busy":            {answers: map[string]string{"connect": "421 too busy"}, want: `retry in 0s: the mail server refused the connection: 421 "too busy"`},
		"not welcome":     {answers: map[string]string{"connect": "554 go away"}, want: `retry in 1m0s: the mail server refused the connection: 554 "go away"`},
		"password":        {user: "u:hunter2@", answers: map[string]string{"AUTH PLAIN": "535 5.7.8 wrong"}, want: `retry in 1m0s: the mail server refused the user name or password: 535 "5.7.8 wrong"`},
		"sender":          {answers: map[string]string{"MAIL": "550 not yours"}, want: `retry in 1m0s: the mail server refused the sender: 550 "not yours"`},
		"all recipients":  {answers: map[string]string{"RCPT": "550 no such user"}, want: `retry in 1m0s: the mail server refused the recipient "boss@shop.example": 550 "no such user"`},
		"one recipient":   {answers: map[string]string{"RCPT TO:<boss@": "550 no such user"}, want: "accepted"},
		"greylisted":      {answers: map[string]string{"RCPT TO:<boss@": "451 later"}, want: `retry in 0s: the mail server refused the recipient "boss@shop.example": 451 "later"`},
		"full":            {answers: map[string]string{"mail": "452 full"}, want: `retry in 0s: the mail server refused the mail: 452 "full"`},
		"too large, once": {answers: map[string]string{"mail": "552 too large|250 ok"}, want: "accepted"},
		"spam":            {answers: map[string]string{"mail": "554 spam"}, want: `give up: the mail server refused the mail: 554 "spam"`},
		"no STARTTLS":     {more: "&requirestarttls=yes", want: "retry in 1m0s: the mail server does not offer STARTTLS"},
		"no TLS":          {more: "&encryption=ImplicitTLS", want: "retry in 1m0s: the mail server did not accept the connection: tls: first record does not look like a TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startMailServer(t, tt.answers)
			_, err := s.mailer(t, tt.user, tt.more, nil).Notify(t.Context(), example.Fired())
			expect.Equal(t, "error", tt.want, receivertest.Handling(err))
		})
	}
}

// TestMailOnceEach: after a recipient was refused for a while, only that one gets the
// mail; one that is refused for good is logged and costs the others nothing.
func TestMailOnceEach(t *testing.T) {
	s := startMailServer(t, map[string]string{"RCPT TO:<boss@": "451 later|451 later|250 ok", "RCPT TO:<ops@": "250 ok|550 used twice"})
	var log bytes.Buffer
	n := s.mailer(t, "", "", slog.New(slog.NewTextHandler(&log, nil)))
	for attempt, want := range []bool{false, false, true} {
		if _, err := n.Notify(t.Context(), example.Fired()); (err == nil) != want {
			t.Fatalf("attempt %d: got error %v", attempt, err)
		}
	}
	if got := s.received(); len(got) != 2 || log.Len() > 0 {
		t.Errorf("got %d mails and the log %q, want one for each recipient", len(got), log.String())
	}
}

// TestMailPassword: a password is not sent without TLS, except on loopback.
func TestMailPassword(t *testing.T) {
	s := startMailServer(t, nil)
	for auth, want := range map[string]string{"plain": "AUTH PLAIN AHVzZXIAaHVudGVyMg==", "login": "AUTH LOGIN", "none": ""} {
		s.lines = nil
		s.answers = map[string]string{"AUTH LOGIN": "334 VXNlcm5hbWU6", "dXNlcg==": "334 UGFzc3dvcmQ6", "AUTH PLAIN": "235 ok", "aHVudGVyMg==": "235 ok"}
		if _, err := s.mailer(t, "user:hunter2@", "&auth="+auth, nil).Notify(t.Context(), example.Fired()); err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(s.lines, want); got != (want != "") {
			t.Errorf("%s: got %q", auth, s.lines)
		}
	}
}

// TestCheck: an error of a URL contains no part of it that may be a secret.
func TestCheck(t *testing.T) {
	for address, want := range map[string]string{
		"smtp://u:hunter2@mail.example:587/?from=a@b.c&to=d@e.f":                   "",
		"smtp://u:hunter2@mail.example/?fromAddress=a@b.c&toAddresses=d@e.f,g@h.i": "",
		"smtp://mail.example/?to=d@e.f":                                            "has no host or no sender: expected smtp://USER:PASSWORD@HOST:PORT/?from=ADDRESS&to=ADDRESS",
		"smtp://mail.example/?from=a@b.c":                                          "has no recipient: expected to=ADDRESS,ADDRESS",
		"smtp://mail.example/?from=a@b.c&to=hunter2":                               "has a recipient that is not an address: expected to=ADDRESS,ADDRESS",
		"smtp://mail.example/?from=a@b.c&to=d@e.f&auth=hunter2":                    "has an unknown auth: expected plain, login or none",
		"smtp://mail.example/?from=a@b.c&to=d@e.f&encryption=hunter2":              "has an unknown encryption: expected Auto, ExplicitTLS, ImplicitTLS or None",
		"smtp://mail.example/?from=a@b.c&to=d@e.f&usehtml=yes":                     `has the parameter "usehtml", which is not used here`,
		"smtp://u:hun%ter2@mail.example/":                                          "is not a URL: escape the characters of its keys and passwords (%40 for @)",
		"wecom://hunter2/x":                                                        "has no key of a group robot: expected wecom://KEY",
		"lark://open.feishu.cn/":                                                   "has no token: expected the last part of the bot's address, as in lark://open.feishu.cn/TOKEN",
	} {
		got := ""
		if err := shoutrrr.Check(address); err != nil {
			got = err.Error()
		}
		expect.Equal(t, address, want, got)
	}
}

// Package slack sends notifications to a Slack channel: an incident is one message,
// which a Bot keeps up to date, with its news in the thread of the message.
//
// # Duplicate messages
//
// Slack offers bots no idempotency; it ignores client_msg_id. Therefore each message
// of a [Bot] has the ID of its notification in its metadata, and [Bot.Find] searches
// for it before a notification is sent again. This prevents a duplicate after a crash
// between sending and recording, and after a lost response, if
//
//   - the token may read the channel (channels:history, for private channels
//     groups:history); otherwise the Bot logs that once, and may send a message
//     again after a lost response,
//   - the ID of the channel is known: from the configuration ("C0123456789"), from a
//     response since the start, or by the scope channels:read or groups:read,
//   - Slack already shows the message, and it is among the latest 500 since the
//     notification was created.
//
// Updates of the message are idempotent. A [Hook] can neither read nor update, and
// delivers at least once.
package slack

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"

	api "github.com/slack-go/slack"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
)

// BotConfig configures a Bot.
type BotConfig struct {
	Token   alerting.Secret // needs the scope chat:write; further scopes prevent duplicates, see the package comment
	Channel string          // its ID, or "#name" if the bot is a member
	APIURL  string          // "": https://slack.com/api/
	Writer  message.Writer  // creates the content
	Client  *http.Client    // nil: one with timeouts
	Logger  *slog.Logger    // nil: no log
}

// A Bot sends notifications through the API of Slack. The first notification of an
// incident is a message in the channel; later ones update that message and reply in
// its thread.
type Bot struct {
	client  *api.Client
	channel string
	writer  message.Writer
	logger  *slog.Logger

	warnUnreadable sync.Once // logs that the token may not read

	mu sync.Mutex
	id string // the ID of the channel; "": not known yet
}

// NewBot returns a Bot. It sends no request.
func NewBot(c BotConfig) *Bot {
	client := post.Client(c.Client)
	client.Transport = post.BoundRetryAfter(client.Transport)
	client.Transport = bounded{cmp.Or[http.RoundTripper](client.Transport, http.DefaultTransport)}
	b := &Bot{
		client: api.New(c.Token.Reveal(),
			api.OptionAPIURL(strings.TrimSuffix(cmp.Or(c.APIURL, api.APIURL), "/")+"/"),
			api.OptionHTTPClient(client)),
		channel: c.Channel,
		writer:  c.Writer,
		logger:  cmp.Or(c.Logger, slog.New(slog.DiscardHandler)),
	}
	if channelID.MatchString(c.Channel) {
		b.id = c.Channel
	}
	return b
}

// Notify sends a notification. If the message of the incident was deleted, Notify
// sends a new one.
func (b *Bot) Notify(ctx context.Context, notification alerting.Notification) (alerting.DeliveryRef, error) {
	m := b.writer.Write(notification)
	channel, root, ok := parseThread(notification.Thread)
	if !ok {
		return b.open(ctx, notification, m)
	}
	// The update comes first, because it is idempotent: if Find finds the reply, both are done.
	switch err := b.update(ctx, channel, root, m); {
	case says(err, "message_not_found"):
		return b.open(ctx, notification, m)
	case says(err, "cant_update_message", "edit_window_closed"): // the reply still shows the news
	case err != nil:
		return alerting.DeliveryRef{}, b.failure("updating a message in", err)
	}
	if _, _, err := b.post(ctx, channel, notification, reply(m), api.MsgOptionTS(root)); err != nil {
		return alerting.DeliveryRef{}, b.failure("replying in", err)
	}
	return alerting.DeliveryRef{Thread: notification.Thread}, nil
}

// open sends the first message of an incident.
func (b *Bot) open(ctx context.Context, n alerting.Notification, m message.Message) (alerting.DeliveryRef, error) {
	channel, ts, err := b.post(ctx, cmp.Or(b.known(), b.channel), n, root(m))
	if err != nil {
		return alerting.DeliveryRef{}, b.failure("posting to", err)
	}
	b.learn(channel)
	return alerting.DeliveryRef{Thread: thread(channel, ts)}, nil
}

func (b *Bot) post(ctx context.Context, channel string, n alerting.Notification, c content, more ...api.MsgOption) (id, ts string, err error) {
	more = append(more, api.MsgOptionMetadata(mark(n)))
	err = c.shortened(func(c content) error {
		id, ts, err = b.client.PostMessageContext(ctx, channel, append(c.options(), more...)...)
		if err == nil && (id == "" || ts == "") {
			return errNoAnswer
		}
		return err
	})
	return id, ts, err
}

func (b *Bot) update(ctx context.Context, channel, ts string, m message.Message) error {
	return root(m).shortened(func(c content) error {
		_, updated, _, err := b.client.UpdateMessageContext(ctx, channel, ts, c.options()...)
		if err == nil && updated == "" {
			return errNoAnswer
		}
		return err
	})
}

// failure classifies an error and names the channel.
func (b *Bot) failure(doing string, err error) error {
	return classify(fmt.Sprintf("%s %q", doing, b.channel), err)
}

func (b *Bot) known() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.id
}

func (b *Bot) learn(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.id = id
}

// maxAnswer bounds a response in bytes, because the library reads responses
// completely. The largest is a page of messages.
const maxAnswer = 8 << 20

// bounded truncates responses at maxAnswer.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}

// channelID matches the ID of a channel, which does not change with its name.
var channelID = regexp.MustCompile(`^[CGD][A-Z0-9]{7,}$`)

// thread returns DeliveryRef.Thread: the ID of the channel and the timestamp of the
// message of the incident.
func thread(channel, ts string) string { return channel + " " + ts }

func parseThread(text string) (channel, ts string, ok bool) {
	channel, ts, ok = strings.Cut(text, " ")
	return channel, ts, ok && channel != "" && ts != ""
}

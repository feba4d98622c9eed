package slack

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	api "github.com/slack-go/slack"

	"stickwatch/alerting"
)

// The bounds of a search.
const (
	findPages    = 5
	findPage     = 100
	channelPages = 10
	channelPage  = 200

	// clocksDiffer is how much the clock of Slack may be behind ours.
	clocksDiffer = 10 * time.Minute
)

// Find reports whether an earlier attempt sent a notification. It returns false if
// the token may not read the channel; see the package comment.
func (b *Bot) Find(ctx context.Context, n alerting.Notification) (alerting.DeliveryRef, bool, error) {
	ref, found, err := b.find(ctx, n)
	switch {
	case says(err, "missing_scope", "not_allowed_token_type", "no_permission"):
		b.warnUnreadable.Do(func() {
			b.logger.Warn("the Slack token may not read the channel: after a lost response a message may be posted twice",
				"channel", b.channel, "missing", code(err), "give", "channels:history, channels:read (private channels: groups:history, groups:read)")
		})
		return alerting.DeliveryRef{}, false, nil
	case err != nil:
		return alerting.DeliveryRef{}, false, b.failure("reading", err)
	}
	return ref, found, nil
}

func (b *Bot) find(ctx context.Context, n alerting.Notification) (alerting.DeliveryRef, bool, error) {
	if channel, root, ok := parseThread(n.Thread); ok {
		ts, err := b.search(n, b.replies(ctx, channel, root, n))
		if !says(err, "thread_not_found", "message_not_found") && (ts != "" || err != nil) {
			return alerting.DeliveryRef{Thread: n.Thread}, err == nil, err
		}
	}
	channel, err := b.resolve(ctx)
	if channel == "" || err != nil {
		return alerting.DeliveryRef{}, false, err
	}
	ts, err := b.search(n, b.history(ctx, channel, n))
	if ts == "" || err != nil {
		return alerting.DeliveryRef{}, false, err
	}
	return alerting.DeliveryRef{Thread: thread(channel, ts)}, true, nil
}

// A fetch reads a page of messages; next is "" on the last page.
type fetch func(cursor string) (page []api.Message, next string, err error)

// search returns the timestamp of the message of the notification, or "".
func (b *Bot) search(n alerting.Notification, read fetch) (ts string, err error) {
	cursor := ""
	for range findPages {
		page, next, err := read(cursor)
		if err != nil {
			return "", err
		}
		for _, m := range page {
			if marked(m, n) {
				return m.Timestamp, nil
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return "", nil
}

func (b *Bot) history(ctx context.Context, channel string, n alerting.Notification) fetch {
	return func(cursor string) ([]api.Message, string, error) {
		res, err := b.client.GetConversationHistoryContext(ctx, &api.GetConversationHistoryParameters{
			ChannelID: channel, Cursor: cursor, Limit: findPage, Oldest: oldest(n), IncludeAllMetadata: true,
		})
		if err != nil {
			return nil, "", err
		}
		return res.Messages, res.ResponseMetaData.NextCursor, nil
	}
}

func (b *Bot) replies(ctx context.Context, channel, root string, n alerting.Notification) fetch {
	return func(cursor string) ([]api.Message, string, error) {
		page, _, next, err := b.client.GetConversationRepliesContext(ctx, &api.GetConversationRepliesParameters{
			ChannelID: channel, Timestamp: root, Cursor: cursor, Limit: findPage, Oldest: oldest(n), IncludeAllMetadata: true,
		})
		return page, next, err
	}
}

// oldest returns a time before any message of the notification.
func oldest(n alerting.Notification) string {
	return strconv.FormatInt(n.At.Add(-clocksDiffer).Unix(), 10) + ".000000"
}

// resolve returns the ID of the channel, which is needed to read it; "": the token
// sees no such channel.
func (b *Bot) resolve(ctx context.Context) (string, error) {
	if id := b.known(); id != "" {
		return id, nil
	}
	id, err := b.lookUp(ctx, "public_channel", "private_channel")
	if says(err, "missing_scope") {
		id, err = b.lookUp(ctx, "public_channel")
	}
	if err != nil {
		return "", err
	}
	if id != "" {
		b.learn(id)
	}
	return id, nil
}

func (b *Bot) lookUp(ctx context.Context, kinds ...string) (string, error) {
	name, cursor := strings.TrimPrefix(b.channel, "#"), ""
	for range channelPages {
		page, next, err := b.client.GetConversationsContext(ctx, &api.GetConversationsParameters{
			Cursor: cursor, Limit: channelPage, Types: kinds, ExcludeArchived: true,
		})
		if err != nil {
			return "", fmt.Errorf("looking up the channel ID: %w", err)
		}
		for _, c := range page {
			if c.Name == name {
				return c.ID, nil
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return "", nil
}

package main

import (
	"fmt"
	"log/slog"

	"stickwatch/alerting"
	"stickwatch/alerting/alertmanager"
	"stickwatch/alerting/dingtalk"
	"stickwatch/alerting/message"
	"stickwatch/alerting/shoutrrr"
	"stickwatch/alerting/slack"
	"stickwatch/alerting/webhook"
	"stickwatch/internal/config"
)

// notifierOf returns a function that makes the notifier of a receiver. Its errors contain
// no secrets.
func notifierOf(logger *slog.Logger) func(config.Receiver, config.Alerting) (alerting.Notifier, error) {
	return func(r config.Receiver, a config.Alerting) (alerting.Notifier, error) {
		n, err := notifierWithSecrets(logger, r, a)
		if err != nil {
			return nil, err
		}
		return alerting.RedactErrors(n, r.Secrets()...), nil
	}
}

// notifierWithSecrets makes a notifier whose errors may contain secrets, because they
// quote the receiver.
func notifierWithSecrets(logger *slog.Logger, r config.Receiver, a config.Alerting) (alerting.Notifier, error) {
	writer := message.Writer{
		Language: alerting.Language(a.Language), Page: a.ExternalURL, Grafana: a.GrafanaURL, Zone: a.Location,
	}
	switch {
	case r.Slack != nil && !r.Slack.WebhookURL.IsZero():
		return slack.NewHook(slack.HookConfig{URL: r.Slack.WebhookURL, Writer: writer})
	case r.Slack != nil:
		return slack.NewBot(slack.BotConfig{
			Token: r.Slack.Token, Channel: r.Slack.Channel, APIURL: r.Slack.APIURL, Writer: writer,
			Logger: logger.With("receiver", r.Name),
		}), nil
	case r.DingTalk != nil:
		return dingtalk.New(dingtalk.Config{Token: r.DingTalk.Token, Secret: r.DingTalk.Secret, Writer: writer})
	case r.Shoutrrr != nil:
		return shoutrrr.New(shoutrrr.Config{URL: r.Shoutrrr.URL, Writer: writer, Logger: logger.With("receiver", r.Name)})
	case r.Alertmanager != nil:
		return alertmanager.New(alertmanager.Config{URL: r.Alertmanager.URL, Writer: writer})
	case r.Webhook != nil:
		return webhook.New(webhook.Config{
			URL: r.Webhook.URL, Secret: r.Webhook.Secret, Template: r.Webhook.Template, Writer: writer,
		})
	default:
		return nil, fmt.Errorf("there is no kind of receiver in %q", r.Name)
	}
}

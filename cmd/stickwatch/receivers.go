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
func notifierWithSecrets(logger *slog.Logger, receiver config.Receiver, a config.Alerting) (alerting.Notifier, error) {
	writer := message.Writer{
		Language: alerting.Language(a.Language), Page: a.ExternalURL, Grafana: a.GrafanaURL, Zone: a.Location,
	}
	switch {
	case receiver.Slack != nil && !receiver.Slack.WebhookURL.IsZero():
		return slack.NewHook(slack.HookConfig{URL: receiver.Slack.WebhookURL, Writer: writer})
	case receiver.Slack != nil:
		return slack.NewBot(slack.BotConfig{
			Token: receiver.Slack.Token, Channel: receiver.Slack.Channel, APIURL: receiver.Slack.APIURL, Writer: writer,
			Logger: logger.With("receiver", receiver.Name),
		}), nil
	case receiver.DingTalk != nil:
		return dingtalk.New(dingtalk.Config{Token: receiver.DingTalk.Token, Secret: receiver.DingTalk.Secret, Writer: writer})
	case receiver.Shoutrrr != nil:
		return shoutrrr.New(shoutrrr.Config{URL: receiver.Shoutrrr.URL, Writer: writer, Logger: logger.With("receiver", receiver.Name)})
	case receiver.Alertmanager != nil:
		return alertmanager.New(alertmanager.Config{URL: receiver.Alertmanager.URL, Writer: writer})
	case receiver.Webhook != nil:
		return webhook.New(webhook.Config{
			URL: receiver.Webhook.URL, Secret: receiver.Webhook.Secret, Template: receiver.Webhook.Template, Writer: writer,
		})
	default:
		return nil, fmt.Errorf("there is no kind of receiver in %q", receiver.Name)
	}
}

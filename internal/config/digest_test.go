package config

import (
	"testing"
	"time"

	"stickwatch/probes"
)

// TestDigest: instances of a fleet with other receivers, routes or times have another configuration,
// and those that only reach a receiver with another secret have not.
func TestDigest(t *testing.T) {
	of := func(change func(*Config)) string {
		c := &Config{Clusters: []*probes.Cluster{{Name: "shop"}}}
		c.Alerting.Receivers = []Receiver{{Name: "ops", Slack: &Slack{Token: NewSecret("a")}}}
		change(c)
		return c.Digest()
	}
	first := of(func(*Config) {})
	for what, change := range map[string]func(*Config){
		"receivers": func(c *Config) { c.Alerting.Receivers = append(c.Alerting.Receivers, Receiver{Name: "boss"}) },
		"routes":    func(c *Config) { c.Alerting.Routes = []Route{{Receiver: "ops"}} },
		"times":     func(c *Config) { c.Alerting.ResolveAfter = time.Minute },
	} {
		if of(change) == first {
			t.Errorf("other %s are not seen", what)
		}
	}
	if of(func(c *Config) { c.Alerting.Receivers[0].Slack.Token = NewSecret("b") }) != first {
		t.Error("the digest depends on a secret")
	}
}

package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/slack"
	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/config"
	"stickwatch/internal/history"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
)

// daemonConfigEnv is the environment variable with the configuration for a test binary
// that acts as a daemon.
const daemonConfigEnv = "STICKWATCH_TEST_DAEMON"

func TestMain(m *testing.M) {
	if file := os.Getenv(daemonConfigEnv); file != "" {
		fmt.Fprintln(os.Stderr, runDaemon(file))
		os.Exit(1)
	}
	status := m.Run()
	if skewableDir != "" {
		_ = os.RemoveAll(skewableDir)
	}
	os.Exit(status)
}

// runDaemon runs a daemon that prints its address and logs beside its configuration, until it is killed.
func runDaemon(file string) error {
	log, err := os.OpenFile(logOf(file), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	d, err := Start(context.Background(), Config{
		Load: func() (*config.Config, error) { return config.Load(file) }, Prober: &monitor.Prober{},
		Notifier: func(r config.Receiver, _ config.Alerting) (alerting.Notifier, error) {
			return slack.NewBot(slack.BotConfig{Token: r.Slack.Token, Channel: r.Slack.Channel, APIURL: r.Slack.APIURL}), nil
		},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		return err
	}
	fmt.Println(d.Address())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	go func() {
		for range reload {
			_ = d.Reload(ctx)
		}
	}()
	return d.Run(ctx)
}

// logOf returns the log of the daemon of a configuration.
func logOf(file string) string { return strings.TrimSuffix(file, ".yml") + ".log" }

// A process is a daemon in a process of its own.
type process struct {
	*exec.Cmd
	url string
}

// startDaemonProcess starts a daemon with a configuration in a process of its own.
func startDaemonProcess(t *testing.T, file string) *process {
	t.Helper()
	return startCommand(t, exec.Command(os.Args[0]), file)
}

// startCommand starts a daemon with a command that runs this test binary.
func startCommand(t *testing.T, cmd *exec.Cmd, file string) *process {
	t.Helper()
	cmd.Env = append(append(os.Environ(), cmd.Env...), daemonConfigEnv+"="+file)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	must.Succeed(t, err)
	must.Succeed(t, cmd.Start())
	p := &process{Cmd: cmd}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("the daemon of %s wrote %s", file, stderr.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.kill()
		t.Fatalf("the daemon did not start: %v\n%s", err, stderr.String())
	}
	p.url = "http://" + strings.TrimSpace(line)
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.Process.Kill()
	_ = p.Wait()
}

// An apiIncident is an incident in the API.
type apiIncident struct {
	ID, State, Fired string
	Flapping         bool
}

// incidents returns the incidents of the API; ok is false without a response.
func (p *process) incidents(ctx context.Context) (list []apiIncident, ok bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/incidents?limit=1000", http.NoBody)
	if err != nil {
		return nil, false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, false
	}
	defer res.Body.Close()
	var answer struct{ Incidents []apiIncident }
	if err := json.NewDecoder(io.LimitReader(res.Body, 10<<20)).Decode(&answer); err != nil {
		return nil, false
	}
	return answer.Incidents, true
}

// TestKilled: a daemon that is killed at random times, while faults occur and Slack
// fails, forgets no notified incident and repeats no message. STICKWATCH_KILLS is the
// number of kills; it passed with 100.
func TestKilled(t *testing.T) {
	t.Parallel()
	kills := 6
	if n, err := strconv.Atoi(os.Getenv("STICKWATCH_KILLS")); err == nil {
		kills = n
	}
	r := newRig(t)
	workspace := slacktest.New("ops")
	defer workspace.Close()
	file := filepath.Join(r.dir, "stickwatch.yml")
	text := strings.Replace(r.text, "webhook: {url: http://127.0.0.1:9/}", fmt.Sprintf("slack: {token: %s, channel: \"#ops\", api_url: %q}", slacktest.Token, workspace.URL()), 1)
	must.Succeed(t, os.WriteFile(file, []byte(text), 0o600))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	killTest := &killTest{rig: r, random: rand.New(rand.NewPCG(seed, 0)), workspace: workspace, beforeKill: make(map[string]apiIncident)}
	for range kills {
		p := startDaemonProcess(t, file)
		killTest.causeFaults(t, p)
		p.kill()
	}
	defer func() {
		if t.Failed() {
			t.Log(killTest.unnotifiedIncidents(t))
		}
	}()
	killTest.finish(t, startDaemonProcess(t, file))
}

// A killTest has the faults of the cluster and of Slack while daemons are killed and
// restarted.
type killTest struct {
	*rig
	random     *rand.Rand
	workspace  *slacktest.Server
	broken     bool
	beforeKill map[string]apiIncident
}

// causeFaults causes a fault of Slack and changes one of the cluster, for a few seconds.
func (k *killTest) causeFaults(t *testing.T, p *process) {
	t.Helper()
	faults := []slacktest.Fault{
		{Latency: 500 * time.Millisecond},
		{Status: http.StatusTooManyRequests, RetryAfter: "1"},
		{Status: http.StatusInternalServerError},
		{Reset: true},
		{LoseResponse: true},
		{Method: "chat.postMessage", Latency: time.Second},
	}
	k.workspace.Fail(faults[k.random.IntN(len(faults))])
	change := time.Duration(k.random.IntN(1000)) * time.Millisecond
	end := change + time.Duration(k.random.IntN(4000))*time.Millisecond
	for began, changed := time.Now(), false; time.Since(began) < end; time.Sleep(20 * time.Millisecond) {
		if !changed && time.Since(began) >= change {
			changed = true
			k.toggleFault(t)
		}
		list, _ := p.incidents(t.Context())
		for _, i := range list {
			k.beforeKill[i.ID] = i
		}
	}
}

// toggleFault breaks a working target or repairs a broken one.
func (k *killTest) toggleFault(t *testing.T) {
	t.Helper()
	err := k.Heal()
	if !k.broken {
		faults := []string{"redis-down", "node-down", "node-paused"}
		err = k.Break(faults[k.random.IntN(len(faults))])
	}
	if k.broken = !k.broken; err != nil {
		t.Fatal(err)
	}
}

// finish repairs everything, waits until all incidents are resolved and notified, and checks them.
func (k *killTest) finish(t *testing.T, p *process) {
	t.Helper()
	must.Succeed(t, k.Heal())
	k.workspace.ClearFaults()
	var missing string
	defer func() {
		if missing != "" {
			t.Errorf("waiting for %s", missing)
		}
	}()
	const longestPause = 5 * time.Minute // between two attempts, after many that failed
	within(t, longestPause+time.Minute, "the notified end of every incident", func() bool {
		missing = k.unfinished(t, p)
		return missing == ""
	})
	k.check(t, p)
}

// unfinished returns what is still missing; "": every incident is resolved and notified.
func (k *killTest) unfinished(t *testing.T, p *process) string {
	t.Helper()
	list, ok := p.incidents(t.Context())
	if !ok {
		return "an answer"
	}
	for _, i := range list {
		if i.State != "resolved" && !i.Flapping { // which takes a quarter of an hour of quiet to end
			return fmt.Sprintf("the end of %+v", i)
		}
	}
	if got, want := len(k.channelMessages()), countFired(list); got < want {
		return fmt.Sprintf("%d of %d messages in the channel", want-got, want)
	}
	if got, want := k.resolvedReplies(), countResolved(list); got < want {
		return fmt.Sprintf("%d of %d ends in threads", want-got, want)
	}
	return ""
}

func countFired(list []apiIncident) (n int) {
	for _, i := range list {
		if i.Fired != "" {
			n++
		}
	}
	return n
}

// unnotifiedIncidents describes the incidents without a notification.
func (k *killTest) unnotifiedIncidents(t *testing.T) string {
	t.Helper()
	reader, err := history.OpenReader(t.Context(), filepath.Join(k.dir, "history.db"))
	if err != nil {
		return err.Error()
	}
	defer reader.Close()
	list, err := reader.Incidents(t.Context(), alerting.IncidentQuery{})
	if err != nil {
		return err.Error()
	}
	pending, _ := reader.Pending(t.Context())
	dead, _ := reader.DeadLetters(t.Context(), 0)
	var text strings.Builder
	fmt.Fprintf(&text, "%d pending, %d dead letters\n", pending["ops"], len(dead))
	sent := k.channelMessages()
	for _, i := range list {
		if sent[alerting.NotificationID(i.ID, "ops", 1)] > 0 {
			continue
		}
		fmt.Fprintf(&text, "%s %s %s merged into %q, notified %+v\n", i.ID, i.State, i.Cause.Key(), i.MergedInto, i.Notified)
		for _, e := range i.Timeline {
			fmt.Fprintf(&text, "  %s %s %s %s %s\n", e.At.Format(time.StampMilli), e.Kind, e.Finding, e.Reason, e.Detail)
		}
	}
	return text.String()
}

func countResolved(list []apiIncident) (n int) {
	for _, i := range list {
		if i.Fired != "" && i.State == "resolved" {
			n++
		}
	}
	return n
}

// channelMessages counts the messages in the channel by notification.
func (k *killTest) channelMessages() map[string]int {
	return count(k.workspace.Messages(), func(m slacktest.Message) bool { return m.Thread == "" })
}

func count(messages []slacktest.Message, matches func(slacktest.Message) bool) map[string]int {
	seen := make(map[string]int)
	for _, m := range messages {
		if matches(m) {
			seen[notificationOf(m)]++
		}
	}
	return seen
}

// notificationOf returns the ID of the notification in the metadata of a message.
func notificationOf(m slacktest.Message) string {
	var meta struct {
		Payload map[string]string `json:"event_payload"`
	}
	_ = json.Unmarshal([]byte(m.Metadata), &meta)
	return meta.Payload["notice"]
}

// resolvedReplies counts the threads with the end of their incident.
func (k *killTest) resolvedReplies() (n int) {
	for _, m := range k.workspace.Messages() {
		if m.Thread != "" && strings.Contains(m.Text+m.Attachments+m.Blocks, "Resolved") {
			n++
		}
	}
	return n
}

func (k *killTest) check(t *testing.T, p *process) {
	t.Helper()
	list, _ := p.incidents(t.Context())
	kept := make(map[string]apiIncident)
	for _, i := range list {
		kept[i.ID] = i
	}
	for id, i := range k.beforeKill {
		if now, ok := kept[id]; !ok || i.Fired != "" && now.Fired != i.Fired {
			t.Errorf("incident %s was %+v before a kill and is %+v now", id, i, now)
		}
	}
	for place, messages := range map[string]map[string]int{
		"in the channel": k.channelMessages(),
		"in a thread":    count(k.workspace.Messages(), func(m slacktest.Message) bool { return m.Thread != "" }),
	} {
		for id, n := range messages {
			if n > 1 {
				t.Errorf("%s was sent %d times %s", id, n, place)
			}
		}
	}
	if got, want := len(k.channelMessages()), countFired(list); got != want {
		t.Errorf("got %d messages in the channel, want one for each of %d incidents that fired", got, want)
	}
	t.Logf("%d incidents, %d of them shown by the API before a kill, %d messages", len(list), len(k.beforeKill), len(k.workspace.Messages()))
}

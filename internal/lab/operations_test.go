package lab

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/users"
)

// operationsAtOnce is the number of clusters operated concurrently. They mostly wait.
const operationsAtOnce = 28

// TestOperations plays every operation behind every balancer that it applies to, with
// users and a daemon at its default intervals, and compares the notifications with the
// outcomes of users' requests. `make operations` plays each many times: see
// operations_results_test.go.
func TestOperations(t *testing.T) {
	if testing.Short() {
		t.Skip("operating clusters takes minutes")
	}
	t.Parallel()
	results := openResults(t)
	todo := make(chan pairing)
	var workers sync.WaitGroup
	for range operationsAtOnce {
		workers.Go(func() {
			for p := range todo {
				t.Run(p.name(), func(t *testing.T) { p.playOnce(t, results) })
			}
		})
	}
	longest := slices.SortedStableFunc(slices.Values(pairings()), func(a, b pairing) int { return cmp.Compare(b.after, a.after) })
	for run := range runs(t, "STICKWATCH_OPERATIONS_RUNS", 1) {
		for _, p := range longest {
			if results.earlierRuns(p) <= run {
				todo <- p
			}
		}
	}
	close(todo)
	workers.Wait()
	results.write(t)
}

// A pairing is an operation behind a balancer.
type pairing struct {
	operation
	front operatedFront
}

func (p pairing) name() string { return p.operation.name + "/" + p.front.name }

func pairings() (list []pairing) {
	for _, o := range operations {
		for _, f := range operatedFronts {
			if o.on(f) {
				list = append(list, pairing{o, f})
			}
		}
	}
	return list
}

// playOnce plays a pairing. The worker or table entry of a request is random, and rates
// are measured by `make operations`: in a single run of each, a failure is repeated,
// and only a second failure is an error. A run in which the operation did not have its effect,
// for instance because a busy machine harmed users before, says nothing about stickwatch.
func (p pairing) playOnce(t *testing.T, results *results) {
	c, r := p.run(t, results)
	campaign := os.Getenv("STICKWATCH_OPERATIONS_RUNS") != ""
	for range 2 {
		if len(r.Broken) == 0 || campaign {
			break
		}
		t.Logf("void: %s", r)
		c, r = p.run(t, results)
	}
	if !r.OK && gapOf(t.Name()).why == "" && !campaign {
		t.Logf("wrong once: %s", r)
		c, r = p.run(t, results)
	}
	checkGap(t, gapOf(t.Name()), r.OK, r.String())
	if t.Failed() && len(r.Broken) == 0 {
		t.Log(formatReport(c.daemon.Snapshots()[0].Report))
	}
}

func (p pairing) run(t *testing.T, results *results) (*operatedCluster, result) {
	c := operate(t, p.front, p.operation)
	if !p.first {
		c.began = time.Now()
	}
	p.play(c)
	time.Sleep(cmp.Or(p.after, aftermath)) // notifications arrive meanwhile
	r := p.judge(c)
	results.add(t, r)
	return c, r
}

// judge compares the notifications with the expectation.
func (p pairing) judge(c *operatedCluster) result {
	r := result{Operation: p.operation.name, Balancer: p.front.name, At: c.began}
	log := c.population.Log()
	r.Requests, r.Harmed = log.Totals().All(), log.Totals().Harmed()
	harms := slices.DeleteFunc(log.Requests(), func(q users.Request) bool { return !q.Outcome.Harmful() })
	r.Broken = p.want.broken(c, harms)
	incidents := incidentsOf(c.recordingReceiver.since(time.Time{}))
	for _, i := range incidents {
		r.Notified = append(r.Notified, i.String())
	}
	p.want.allowing(harms).hold(&r, incidents, c.began, c.quiet)
	r.Delay = delay(p.want, incidents, harms, c.began)
	r.OK = len(r.Missed)+len(r.False)+len(r.Broken) == 0
	return r
}

// An incidentRecord is an incident with its notifications.
type incidentRecord struct {
	notification                 // the last notification, with the cause
	First        time.Time       // arrival of the first notification
	Worst        checks.Severity // highest severity of any notification
}

func (i incidentRecord) String() string {
	return fmt.Sprintf("%s %s/%s from %s with %q: %s", i.Worst, i.Code, i.Node, i.First.Format(time.TimeOnly), i.Joined, i.Text)
}

// incidentsOf groups notifications by incident, in the order of the first one.
func incidentsOf(list []notification) (episodes []incidentRecord) {
	for _, m := range list {
		at := slices.IndexFunc(episodes, func(e incidentRecord) bool { return e.Incident == m.Incident })
		if at < 0 {
			episodes = append(episodes, incidentRecord{notification: m, First: m.At, Worst: m.Severity})
			continue
		}
		episodes[at].notification = m
		if m.Severity.AtLeast(episodes[at].Worst) {
			episodes[at].Worst = m.Severity
		}
	}
	return episodes
}

// broken returns why the operation did not have its intended effect.
func (e expectation) broken(c *operatedCluster, harms []users.Request) (list []string) {
	if e.unharmed && len(harms) > 0 {
		list = append(list, fmt.Sprintf("users were harmed %d times, first by %+v", len(harms), harms[0]))
	}
	if e.harmed && len(harms) == 0 {
		list = append(list, "no user was harmed")
	}
	if before := slices.IndexFunc(harms, func(q users.Request) bool { return q.At.Add(q.Took).Before(c.began) }); before >= 0 {
		list = append(list, fmt.Sprintf("users were harmed before it began, by %+v", harms[before]))
	}
	if n, ok := c.balancer.frontend.(*NginxBalancer); ok && e.unnoticed {
		text, err := os.ReadFile(n.ErrorLog())
		if err != nil {
			c.t.Error(err)
		}
		if count := strings.Count(string(text), "temporarily disabled"); count > 0 {
			list = append(list, fmt.Sprintf("nginx ejected a node %d times", count))
		}
	}
	return list
}

// lasting is how long three users must have had errors to justify a critical
// notification: two default intervals of a canary.
const lasting = 6 * time.Second

// allowing permits one more critical incident where users had errors for long enough,
// because nginx without a zone may have ejected every node in turn.
func (e expectation) allowing(harms []users.Request) expectation {
	who := make(map[int]bool)
	var errs []users.Request
	for _, q := range harms {
		if q.Outcome == users.Error {
			errs, who[q.User] = append(errs, q), true
		}
	}
	if len(who) >= 3 && errs[len(errs)-1].At.Sub(errs[0].At) >= lasting && e.critical == 0 {
		e.optional = 1
		if e.codes != nil {
			e.codes = append(slices.Clone(e.codes), checks.BalancerError)
		}
	}
	return e
}

// hold records missing and false notifications.
func (e expectation) hold(r *result, list []incidentRecord, began, quiet time.Time) {
	critical, others, mentioned := 0, 0, false
	for _, i := range list {
		switch right := e.codes == nil || slices.Contains(e.codes, i.Code); {
		case i.First.Before(began):
			r.addFalseAlarm(i, "before anything was done")
		case i.First.Before(quiet):
			r.addFalseAlarm(i, "during an announced deployment")
		case !right:
			r.addFalseAlarm(i, "another cause")
		case e.node != "" && i.Node != e.node:
			r.addFalseAlarm(i, "another node")
		case i.Worst == checks.Critical:
			if critical++; critical > e.critical+e.optional {
				r.addFalseAlarm(i, "critical once too often")
			}
		default:
			if others++; others > e.warnings {
				r.addFalseAlarm(i, "a warning too many")
			}
		}
		mentioned = mentioned || allOf(e.mentions, i.Text)
	}
	if critical < e.critical {
		r.Missed = append(r.Missed, fmt.Sprintf("%d of %d critical incidents of %q", e.critical-critical, e.critical, e.codes))
	}
	if critical+others < e.least {
		r.Missed = append(r.Missed, fmt.Sprintf("an incident of %q", e.codes))
	}
	if !mentioned && len(e.mentions) > 0 && len(list) > 0 {
		r.Missed = append(r.Missed, fmt.Sprintf("the words %q", e.mentions))
	}
}

// addFalseAlarm records an incident that should not exist.
func (r *result) addFalseAlarm(i incidentRecord, why string) {
	r.False = append(r.False, why+": "+i.String())
	if i.Worst == checks.Critical {
		r.FalseCritical++
	}
}

// allOf reports whether text contains each of words, which may be alternatives.
func allOf(words []string, text string) bool {
	for _, w := range words {
		if !slices.ContainsFunc(strings.Split(w, "|"), func(word string) bool { return strings.Contains(text, word) }) {
			return false
		}
	}
	return true
}

// delay returns the time from the first harm, or from the operation without harm, to
// the first notification with the correct cause; 0: there is none.
func delay(e expectation, list []incidentRecord, harms []users.Request, began time.Time) time.Duration {
	from := began
	if len(harms) > 0 {
		from = harms[0].At.Add(harms[0].Took)
	}
	for _, i := range list {
		if e.codes != nil && slices.Contains(e.codes, i.Code) && i.First.After(began) {
			return max(i.First.Sub(from), time.Millisecond) // stickwatch may be affected before any user
		}
	}
	return 0
}

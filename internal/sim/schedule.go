package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// An Operation is an event that affects the cluster, its network or the monitor.
type Operation struct {
	At    time.Duration // offset from the beginning of the simulation
	Kind  string
	Nodes []string      // nodes in the order in which it affects them; nil: none
	For   time.Duration // duration; for rolling: how long each node is down
}

// String formats the operation as ParseSchedule reads it.
func (o Operation) String() string {
	s := fmt.Sprintf("%v %s", o.At, o.Kind)
	if len(o.Nodes) > 0 {
		s += " " + strings.Join(o.Nodes, ",")
	}
	if o.For > 0 {
		s += fmt.Sprintf(" for %v", o.For)
	}
	return s
}

// end returns the time of the operation's last step.
func (o Operation) end(s Setup) time.Duration {
	k, _ := operationKindOf(o.Kind)
	end := o.At
	for _, st := range k.steps(o, s) {
		end = max(end, o.At+st.after)
	}
	if o.Kind == "busy-prober" {
		end += o.For
	}
	return end
}

// A Schedule is a cluster and the operations that happen to it.
type Schedule struct {
	Seed       uint64 // seed of users' timing, lost packets and the schedule itself
	Setup      Setup
	Length     time.Duration
	Operations []Operation // sorted by time
}

// Bounds of a random schedule.
const (
	warmUp     = 3 * time.Minute // time before the first operation
	settleTime = 4 * time.Minute // time after the last one
)

// Random returns the schedule of a seed, with about ten operations an hour at random
// times. Operations may overlap. among are the setups to choose from.
func Random(seed uint64, length time.Duration, among []Setup) Schedule {
	random := rand.New(rand.NewPCG(seed, 0))
	s := Schedule{Seed: seed, Setup: randomSetup(random, among), Length: length}
	for at := warmUp + randomDuration(random, 2*time.Minute); at < length-settleTime; at += 30*time.Second + randomDuration(random, 11*time.Minute) {
		s.Operations = append(s.Operations, s.random(random, at.Truncate(10*time.Millisecond)))
	}
	return s
}

// random returns a random operation at a time. Its For ends before the settle time if minFor allows; an
// operation of several steps may last longer.
func (s Schedule) random(random *rand.Rand, at time.Duration) Operation {
	k := s.randomKind(random)
	o := Operation{At: at, Kind: k.name}
	if k.maxFor > 0 {
		o.For = (k.minFor + randomDuration(random, k.maxFor-k.minFor)).Truncate(10 * time.Millisecond)
		o.For = min(o.For, max(k.minFor, s.Length-settleTime-at))
	}
	nodes := s.nodes()
	random.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	if k.nodes == all {
		o.Nodes = s.nodes()
	} else if k.nodes > 0 {
		o.Nodes = nodes[:k.nodes]
	}
	return o
}

func (s Schedule) randomKind(random *rand.Rand) operationKind {
	var tickets []operationKind
	for _, k := range operationKinds {
		if k.fits == nil || k.fits(s.Setup) {
			tickets = append(tickets, slices.Repeat([]operationKind{k}, k.weight)...)
		}
	}
	return tickets[random.IntN(len(tickets))]
}

// nodes returns the ids of all nodes.
func (s Schedule) nodes() []string {
	var list []string
	for i := range s.Setup.Nodes {
		list = append(list, fmt.Sprintf("node%d", i+1))
	}
	return list
}

func randomDuration(random *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(max(d, 1))))
}

// Check returns an error when the schedule cannot be simulated.
func (s Schedule) Check() error {
	if err := s.Setup.check(); err != nil {
		return err
	}
	var errs []error
	for i, o := range s.Operations {
		if err := s.check(o); err != nil {
			errs = append(errs, fmt.Errorf("operation %d, %q: %w", i+1, o, err))
		}
	}
	return errors.Join(errs...)
}

func (s Schedule) check(operation Operation) error {
	k, known := operationKindOf(operation.Kind)
	switch {
	case !known:
		return fmt.Errorf("there is no kind %q; want one of %q", operation.Kind, kindNames())
	case k.fits != nil && !k.fits(s.Setup):
		return fmt.Errorf("%s does not fit the cluster %q", k.name, s.Setup)
	case k.nodes == all && len(operation.Nodes) != s.Setup.Nodes, k.nodes != all && len(operation.Nodes) != k.nodes:
		return fmt.Errorf("got %d nodes, want %s", len(operation.Nodes), k.wanted())
	case k.maxFor > 0 && operation.For <= 0:
		return fmt.Errorf("got a duration of %v, want one above 0", operation.For)
	case k.maxFor == 0 && operation.For != 0:
		return fmt.Errorf("got a duration of %v, but %s takes none", operation.For, k.name)
	case operation.At < 0 || operation.end(s.Setup) > s.Length:
		return fmt.Errorf("it lasts from %v to %v, want within 0s to %v", operation.At, operation.end(s.Setup), s.Length)
	}
	for i, node := range operation.Nodes {
		if !slices.Contains(s.nodes(), node) || slices.Contains(operation.Nodes[:i], node) {
			return fmt.Errorf("got node %q, want each of %q at most once", node, s.nodes())
		}
	}
	return nil
}

func (k operationKind) wanted() string {
	if k.nodes == all {
		return "all"
	}
	return fmt.Sprint(k.nodes)
}

func kindNames() []string {
	var list []string
	for _, k := range operationKinds {
		list = append(list, k.name)
	}
	return list
}

// String formats the schedule as ParseSchedule reads it.
func (s Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\ncluster %s\nlength %v\n", s.Seed, s.Setup, s.Length)
	for _, o := range s.Operations {
		fmt.Fprintln(&b, o)
	}
	return b.String()
}

// ParseSchedule parses a schedule: the lines "seed N", "cluster ..." and "length
// DURATION", then one line per operation, such as "5m0s kill node2 for 1m30s". Empty
// lines and lines that begin with # are skipped. The error contains the line, or the
// reason why the schedule cannot be simulated.
func ParseSchedule(text string) (Schedule, error) {
	var s Schedule
	for number, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := s.parse(line); err != nil {
			return Schedule{}, fmt.Errorf("line %d: %w", number+1, err)
		}
	}
	slices.SortStableFunc(s.Operations, func(a, b Operation) int { return int(a.At - b.At) })
	if err := s.Check(); err != nil {
		return Schedule{}, fmt.Errorf("checking the schedule: %w", err)
	}
	return s, nil
}

func (s *Schedule) parse(line string) (err error) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "seed":
		_, err = fmt.Sscan(rest, &s.Seed)
	case "cluster":
		s.Setup, err = ParseSetup(rest)
	case "length":
		s.Length, err = time.ParseDuration(rest)
	default:
		var o Operation
		if o, err = parseOperation(line); err == nil {
			s.Operations = append(s.Operations, o)
		}
	}
	if err != nil {
		return fmt.Errorf("reading %q: %w", line, err)
	}
	return nil
}

func parseOperation(line string) (operation Operation, err error) {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return operation, errors.New("want TIME KIND [NODE,...] [for DURATION]")
	}
	if operation.At, err = time.ParseDuration(fields[0]); err != nil {
		return operation, err
	}
	operation.Kind, fields = fields[1], fields[2:]
	if len(fields) > 0 && fields[0] != "for" {
		operation.Nodes, fields = strings.Split(fields[0], ","), fields[1:]
	}
	switch {
	case len(fields) == 0:
	case len(fields) == 2 && fields[0] == "for":
		operation.For, err = time.ParseDuration(fields[1])
	default:
		err = fmt.Errorf("got %q, want for DURATION", strings.Join(fields, " "))
	}
	return operation, err
}

// shrink removes operations from a schedule as long as a run still reproduces a counterexample of the kind. It runs
// each candidate once, although a run may miss the counterexample by chance. So the result is small, but not always
// minimal.
func shrink(s Schedule, kind string, run func(Schedule) Result) Schedule {
	reproduces := func(operations []Operation) bool {
		candidate := s
		candidate.Operations = operations
		return slices.ContainsFunc(run(candidate).Score().Counterexamples, func(c Counterexample) bool { return c.Kind() == kind })
	}
	s.Operations = reduce(s.Operations, reproduces)
	return s.moveEarlier(reproduces)
}

// reduce minimizes a list that reproduces a counterexample, by delta debugging (ddmin).
func reduce(list []Operation, reproduces func([]Operation) bool) []Operation {
	for parts := 2; len(list) > 1; {
		size := (len(list) + parts - 1) / parts
		smaller := false
		for from := 0; from < len(list) && !smaller; from += size {
			part := list[from:min(from+size, len(list))]
			rest := slices.Concat(list[:from], list[min(from+size, len(list)):])
			switch {
			case parts == 2 && reproduces(part):
				list, smaller = part, true
			case len(rest) > 0 && parts > 2 && reproduces(rest):
				list, smaller = rest, true
			}
		}
		switch {
		case smaller:
			parts = max(2, parts-1)
		case parts >= len(list):
			return list
		default:
			parts = min(len(list), 2*parts)
		}
	}
	return list
}

// moveEarlier moves the operations to the end of the warm-up, if the schedule then still reproduces the
// counterexample. It shortens the time after them without another run.
func (s Schedule) moveEarlier(reproduces func([]Operation) bool) Schedule {
	if len(s.Operations) == 0 {
		return s
	}
	moved := slices.Clone(s.Operations)
	by := moved[0].At - warmUp
	for i := range moved {
		moved[i].At -= by
	}
	if by > 0 && reproduces(moved) {
		s.Operations = moved
	}
	end := time.Duration(0)
	for _, o := range s.Operations {
		end = max(end, o.end(s.Setup))
	}
	s.Length = min(s.Length, (end + settleTime).Round(time.Second))
	return s
}

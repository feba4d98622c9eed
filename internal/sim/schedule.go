package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// An Operation is something that happens to the cluster, to its network or to
// the monitor.
type Operation struct {
	At    time.Duration // from the beginning of the simulation
	Kind  string
	Nodes []string      // in the order in which it takes them; nil: it is about none
	For   time.Duration // of what lasts; of rolling: that each node is down
}

// String is the operation in the words that ParseSchedule reads.
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

// end is when the last step of the operation is done.
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

// A Schedule is a cluster and what happens to it.
type Schedule struct {
	Seed       uint64 // of users' timing, lost packets and the schedule itself
	Setup      Setup
	Length     time.Duration
	Operations []Operation // in the order of time
}

// Bounds of a random schedule.
const (
	warmUp     = 3 * time.Minute // before the first operation
	settleTime = 4 * time.Minute // after the last one
)

// Random returns the schedule of a seed: operations at random moments, about ten
// an hour, which may overlap. among are the setups to choose from.
func Random(seed uint64, length time.Duration, among []Setup) Schedule {
	random := rand.New(rand.NewPCG(seed, 0))
	s := Schedule{Seed: seed, Setup: randomSetup(random, among), Length: length}
	for at := warmUp + randomDuration(random, 2*time.Minute); at < length-settleTime; at += 30*time.Second + randomDuration(random, 11*time.Minute) {
		s.Operations = append(s.Operations, s.random(random, at.Truncate(10*time.Millisecond)))
	}
	return s
}

// random is an operation at a moment. It ends before the simulation settles.
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

// nodes are the ids of all nodes.
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

// Check says why the schedule cannot be simulated.
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

func (s Schedule) check(o Operation) error {
	k, known := operationKindOf(o.Kind)
	switch {
	case !known:
		return fmt.Errorf("there is no kind %q; want one of %q", o.Kind, kindNames())
	case k.fits != nil && !k.fits(s.Setup):
		return fmt.Errorf("%s does not fit the cluster %q", k.name, s.Setup)
	case k.nodes == all && len(o.Nodes) != s.Setup.Nodes, k.nodes != all && len(o.Nodes) != k.nodes:
		return fmt.Errorf("got %d nodes, want %s", len(o.Nodes), k.wanted())
	case k.maxFor > 0 && o.For <= 0, k.maxFor == 0 && o.For != 0:
		return fmt.Errorf("got a duration of %v, want one above 0: %t", o.For, k.maxFor > 0)
	case o.At < 0 || o.end(s.Setup) > s.Length:
		return fmt.Errorf("it lasts from %v to %v, want within 0s to %v", o.At, o.end(s.Setup), s.Length)
	}
	for i, node := range o.Nodes {
		if !slices.Contains(s.nodes(), node) || slices.Contains(o.Nodes[:i], node) {
			return fmt.Errorf("got node %q, want each once, of %q", node, s.nodes())
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

// String is the schedule in the words that ParseSchedule reads.
func (s Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\ncluster %s\nlength %v\n", s.Seed, s.Setup, s.Length)
	for _, o := range s.Operations {
		fmt.Fprintln(&b, o)
	}
	return b.String()
}

// ParseSchedule reads a schedule: the lines "seed N", "cluster ..." and
// "length DURATION", then one line an operation, such as
// "5m0s kill node2 for 1m30s". Empty lines and those that begin with # are
// skipped. The error names the line, or says why it cannot be simulated.
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
		return Schedule{}, fmt.Errorf("simulating the schedule: %w", err)
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

func parseOperation(line string) (o Operation, err error) {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return o, errors.New("want TIME KIND [NODE,...] [for DURATION]")
	}
	if o.At, err = time.ParseDuration(fields[0]); err != nil {
		return o, err
	}
	o.Kind, fields = fields[1], fields[2:]
	if len(fields) > 0 && fields[0] != "for" {
		o.Nodes, fields = strings.Split(fields[0], ","), fields[1:]
	}
	switch {
	case len(fields) == 0:
	case len(fields) == 2 && fields[0] == "for":
		o.For, err = time.ParseDuration(fields[1])
	default:
		err = fmt.Errorf("got %q, want for DURATION", strings.Join(fields, " "))
	}
	return o, err
}

// Package sim runs the real monitor in virtual time against clusters that are
// operated and that fail, and compares what it notified with what users met.
//
// A Schedule is a cluster and the operations and faults that happen to it, made
// from a seed or read from text. Run plays it inside a testing/synctest bubble:
// nodes and a balancer of package demo on a network in memory, monitor.Watcher at
// the default intervals, the ledger of findings and the incident manager with the
// default rules, and a crowd of reference users. Score compares the users' log
// with the notifications, by the scale of harm in score.go, and with the schedule.
//
// # How far a seed replays
//
// The seed decides the cluster, the operations and their moments, when each user
// sends its requests, when the monitor's jobs run, and which packets are lost. All
// steps of operations are carried out by one goroutine in the order of time. Two
// things are not decided by it: the order in which the Go scheduler runs goroutines
// that are ready at the same moment, and random numbers that the monitor draws for
// itself (session ids, the order of follow-ups).
//
// The tests therefore use one processor (GOMAXPROCS=1), where the scheduler's order
// is nearly always the same: four runs of half an hour with five operations agreed
// in every request of every user and in every notification. On several processors
// runs differ in details, such as which worker of the balancer takes a connection,
// and a counterexample that depends on those shows in some runs only. Even on one
// processor nothing guarantees the order: the runtime preempts what runs for 10 ms.
//
// A seed means a schedule only for as long as kinds, their weights and setups stay as
// they are. What shall last is kept as text in testdata/schedules.
package sim

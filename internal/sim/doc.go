// Package sim runs the real monitor in virtual time against clusters that are operated
// and that fail, and compares its notifications with the outcomes of the users'
// requests.
//
// A Schedule is a cluster with the operations and faults that happen to it. It is made
// from a seed or parsed from text. Run plays it inside a testing/synctest bubble with
// the nodes and a balancer of package demo on a network in memory, monitor.Watcher at
// the default intervals, the ledger of findings, the incident manager with the default
// rules, and a population of reference users. Score compares the users' log with the
// notifications, by the scale of harm in harm.go, and with the schedule.
//
// # How far a seed is reproducible
//
// The seed determines the cluster, the operations and their times, when each user sends
// its requests, when the monitor's jobs run, and which packets are lost. One goroutine
// carries out all steps of operations in the order of time. Two things are not
// determined: the order in which the Go scheduler runs goroutines that are ready at the
// same time, and the random numbers of the monitor itself (session ids, the order of
// follow-ups).
//
// The tests therefore use one processor (GOMAXPROCS=1), where the scheduler's order is
// mostly the same: four runs of half an hour with five operations agreed in every
// request of every user and in every notification. This is not guaranteed, because the
// runtime preempts a goroutine that runs for 10 ms, and the monitor's random numbers
// differ. Runs differ in details, such as which worker of the balancer accepts a
// connection, and a counterexample that depends on such a detail appears in some runs
// only. Run a schedule several times before you consider it fixed.
//
// A seed produces the same schedule only while the kinds of operations, their weights
// and the setups are unchanged. Schedules that must last are kept as text in
// testdata/schedules.
package sim

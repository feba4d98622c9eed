// Package fleet shares the clusters of a configuration out to several instances of stickwatch, with
// a history in PostgreSQL and nothing else.
//
// Each instance tells the database every two seconds that it is alive. The clusters of an instance
// that is not heard of for eight seconds are free. Rendezvous hashing of the live instances says who
// takes a free cluster, and who should have it: an instance gives a cluster away, few at a time, if
// another one should have it. The database decides who was first, and its clock decides when a lease
// ends.
//
// A lease has an epoch that grows with each owner. Package history refuses every write for a cluster
// with an older epoch, so an instance that was paused or cut off cannot write after a takeover. Nor
// may it notify: [Keeper.MaySend] compares its last heartbeat with a clock that goes on while the
// process or the machine sleeps.
//
// While the database is away, every instance keeps its clusters. After half a minute it notifies by
// itself, and says so. If an instance dies in this time, nobody watches its clusters until the
// database is back.
package fleet

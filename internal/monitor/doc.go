// Package monitor asks: it takes the rounds that package checks judges.
//
// One round asks every node directly, every address of the balancer, every
// dependency, and sends canaries through the balancer, all side by side. How
// many clients it sends is decided by arithmetic in package checks: as many as
// exclude chance to the confidence asked for, and no more, because each leaves
// a session behind.
package monitor

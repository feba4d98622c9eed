package demo

import "time"

// peers is what one nginx worker remembers of its servers' failures. It
// follows ngx_http_upstream_round_robin.c of nginx 1.22 step by step, whole
// seconds included, because operators reason by max_fails and fail_timeout and
// get it wrong: it is no sliding window.
//
// Nothing is forgotten when every server is ejected. Ancient versions did that
// for a quick recovery; 1.22 answers 502 until a fail_timeout is over.
//
// It is not safe for concurrent use.
type peers struct {
	maxFails    int   // failures before a server is ejected; 0: never
	failTimeout int64 // seconds
	list        []peer
}

type peer struct {
	fails    int
	accessed int64 // second of the last failure
	checked  int64 // second of the last failure, or of the trial after it
}

func newPeers(servers, maxFails int, failTimeout time.Duration) *peers {
	return &peers{maxFails: maxFails, failTimeout: int64(failTimeout / time.Second), list: make([]peer, servers)}
}

// single reports whether there is nothing to choose from: nginx then keeps no
// account at all.
func (p *peers) single() bool { return len(p.list) == 1 }

// ejected reports whether server i is to be passed over.
func (p *peers) ejected(i int, now time.Time) bool {
	peer := &p.list[i]
	return p.maxFails > 0 && peer.fails >= p.maxFails && now.Unix()-peer.checked <= p.failTimeout
}

// selected notes that a request goes to server i. Where fail_timeout is over
// that request is the trial: the server is passed over again until it ends.
func (p *peers) selected(i int, now time.Time) {
	if peer := &p.list[i]; now.Unix()-peer.checked > p.failTimeout {
		peer.checked = now.Unix()
	}
}

// failed notes a request that server i did not answer.
func (p *peers) failed(i int, now time.Time) {
	if p.single() {
		return
	}
	peer := &p.list[i]
	peer.fails++
	peer.accessed = now.Unix()
	peer.checked = now.Unix()
}

// finished notes a request that ended in any other way, the client's leaving
// included. Only one selected more than fail_timeout after the last failure
// clears the account.
func (p *peers) finished(i int) {
	if peer := &p.list[i]; !p.single() && peer.accessed < peer.checked {
		peer.fails = 0
	}
}

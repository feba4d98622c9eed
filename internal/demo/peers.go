package demo

import "time"

// peers is the failure state of one nginx worker. It follows
// ngx_http_upstream_round_robin.c of nginx 1.22 exactly, including whole seconds,
// because max_fails and fail_timeout are often misunderstood: they are not a sliding
// window.
//
// The state is kept when every server is ejected. Old versions reset it for a quick
// recovery; 1.22 answers 502 until a fail_timeout has passed.
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
	checked  int64 // second of the last failure, or of the trial request after it
}

func newPeers(servers, maxFails int, failTimeout time.Duration) *peers {
	return &peers{maxFails: maxFails, failTimeout: int64(failTimeout / time.Second), list: make([]peer, servers)}
}

// single reports whether there is only one server: nginx then keeps no failure state.
func (p *peers) single() bool { return len(p.list) == 1 }

// ejected reports whether server i is skipped.
func (p *peers) ejected(i int, now time.Time) bool {
	peer := &p.list[i]
	return p.maxFails > 0 && peer.fails >= p.maxFails && now.Unix()-peer.checked <= p.failTimeout
}

// selected records that a request goes to server i. After fail_timeout that request is
// the trial: the server is skipped again until the request ends.
func (p *peers) selected(i int, now time.Time) {
	if peer := &p.list[i]; now.Unix()-peer.checked > p.failTimeout {
		peer.checked = now.Unix()
	}
}

// failed records a request that server i did not answer.
func (p *peers) failed(i int, now time.Time) {
	if p.single() {
		return
	}
	peer := &p.list[i]
	peer.fails++
	peer.accessed = now.Unix()
	peer.checked = now.Unix()
}

// finished records a request that ended in any other way, including a disconnect of the
// client. Only a request selected more than fail_timeout after the last failure resets
// the state.
func (p *peers) finished(i int) {
	if peer := &p.list[i]; !p.single() && peer.accessed < peer.checked {
		peer.fails = 0
	}
}

package sim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/demo"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

func TestNetworkServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1, time.Millisecond)
		ln, err := n.Listen("127.0.0.1:0")
		must.Succeed(t, err)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })}
		go server.Serve(ln)
		client := &http.Client{Transport: &http.Transport{DialContext: n.DialContext, DisableKeepAlives: true}}
		began := time.Now()
		resp, err := client.Get("http://" + ln.Addr().String())
		must.Succeed(t, err)
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if host, _, err := net.SplitHostPort(string(body)); err != nil || host != "127.0.0.1" {
			t.Errorf("the client came from %q, want 127.0.0.1:PORT", body)
		}
		if took := time.Since(began); took != time.Millisecond {
			t.Errorf("it took %v, want the latency", took)
		}
		server.Close()
		if _, err := n.DialContext(t.Context(), "tcp", ln.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("after the server: got %v, want connection refused", err)
		}
	})
}

func TestNetworkKeepsAddresses(t *testing.T) {
	n := NewNetwork(1, 0)
	one, err := n.Listen("127.0.0.1:0")
	must.Succeed(t, err)
	if _, err := n.Listen(one.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v, want address in use", err)
	}
	two, err := n.Listen("127.0.0.1:0")
	if err != nil || two.Addr().String() == one.Addr().String() {
		t.Errorf("got %v and %v, want another port", two.Addr(), err)
	}
	one.Close()
	if _, err := n.Listen(one.Addr().String()); err != nil {
		t.Errorf("listening again: %v", err)
	}
	for _, bad := range []string{"127.0.0.1", "127.0.0.1:http2", "nowhere"} {
		if _, err := n.Listen(bad); err == nil {
			t.Errorf("listening on %q: want an error", bad)
		}
	}
}

// TestNetworkSilence checks that a machine that is off sends no answer, not even a
// refusal.
func TestNetworkSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1, 0)
		n.SetPartitioned("127.0.0.1:9", true)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		_, err := n.DialContext(ctx, "tcp", "127.0.0.1:9")
		if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" || !op.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want a dial that timed out", err)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it took %v, want 5 s", took)
		}
		n.SetPartitioned("127.0.0.1:9", false)
		if _, err := n.DialContext(t.Context(), "tcp", "127.0.0.1:9"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v, want connection refused", err)
		}
	})
}

// TestNetworkLosesPackets checks that a lost packet costs a second, and that the seed
// determines which packets are lost.
func TestNetworkLosesPackets(t *testing.T) {
	waits := func(seed uint64) (list []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			n := NewNetwork(seed, 0)
			n.Lose(0.2)
			for range 100 {
				began := time.Now()
				n.DialContext(t.Context(), "tcp", "127.0.0.1:9")
				list = append(list, time.Since(began))
			}
		})
		return list
	}
	one, again, other := waits(1), waits(1), waits(2)
	lost := 0
	for _, w := range one {
		switch w {
		case 0:
		case time.Second, 3 * time.Second, 7 * time.Second:
			lost++
		default:
			t.Errorf("a connect took %v, want 0, 1, 3 or 7 s", w)
		}
	}
	if lost < 8 || lost > 40 {
		t.Errorf("lost packets of %d connects of 100, want about 20", lost)
	}
	if fmt.Sprint(one) != fmt.Sprint(again) || fmt.Sprint(one) == fmt.Sprint(other) {
		t.Error("want the same packets lost for the same seed, and others for another")
	}
}

// TestNetworkSpeaksBoth checks that an address with a certificate serves clients with TLS
// and without it.
func TestNetworkSpeaksBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1, time.Millisecond)
		ln, err := n.Listen("127.0.0.1:0")
		must.Succeed(t, err)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })}
		go server.Serve(ln)
		defer server.Close()
		e := &environment{network: n, cluster: &demo.Cluster{}}
		trusted, err := e.certify()
		must.Succeed(t, err)
		client := &http.Client{Transport: &http.Transport{DialContext: n.DialContext, DisableKeepAlives: true, TLSClientConfig: trusted}}
		for _, step := range []struct {
			scheme string
			config *tls.Config
			served bool
		}{{"http", e.valid, true}, {"https", e.valid, true}, {"http", e.expired, true}, {"https", e.expired, false}} {
			n.SetTLS(ln.Addr().String(), step.config)
			resp, err := client.Get(step.scheme + "://" + ln.Addr().String())
			if (err == nil) != step.served {
				t.Errorf("%s with a certificate until %v: got error %v, want an answer: %t", step.scheme, step.config.Certificates[0].Leaf.NotAfter, err, step.served)
			}
			if err != nil {
				if _, refused := errors.AsType[*tls.CertificateVerificationError](err); !refused {
					t.Errorf("got %v, want a refused certificate", err)
				}
				continue
			}
			if body, _ := io.ReadAll(resp.Body); string(body) != "hello" {
				t.Errorf("got %q, want hello", body)
			}
			resp.Body.Close()
		}
	})
}

// TestNetworkQueues checks that a limited address serves one connection at a time, and
// that a connect which finds its queue full is repeated after a second.
func TestNetworkQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1, 0)
		ln, err := n.Listen("127.0.0.1:0")
		must.Succeed(t, err)
		n.Limit(ln.Addr().String(), 1, 10*time.Millisecond)
		server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		go server.Serve(ln)
		defer server.Close()
		client := &http.Client{Transport: &http.Transport{DialContext: n.DialContext, DisableKeepAlives: true}}
		began := time.Now()
		var got []time.Duration
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 4 {
			synctest.Wait()
			wg.Go(func() {
				if _, err := client.Get("http://" + ln.Addr().String()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				got = append(got, time.Since(began))
			})
		}
		wg.Wait()
		// One is served, one is accepted next, one is in the queue, and one finds it full.
		want := []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 30 * time.Millisecond, 1010 * time.Millisecond}
		expect.Equal(t, "served after", want, got)
	})
}

package probes

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

func TestResolve(t *testing.T) {
	tests := []struct {
		urls []string
		want []string
	}{
		{[]string{"http://127.0.0.1:8088"}, []string{"127.0.0.1:8088"}},
		{[]string{"http://127.0.0.1/app"}, []string{"127.0.0.1:80"}},
		{[]string{"https://[::1]"}, []string{"[::1]:443"}},
		{[]string{"http://[::ffff:127.0.0.1]"}, []string{"127.0.0.1:80"}},
		{[]string{"http://[fe80::1%25eth0]:8080"}, []string{"[fe80::1%eth0]:8080"}},
		{[]string{"http://two.example"}, []string{"127.0.0.1:80", "127.0.0.2:80"}},
		{[]string{"https://shop.example", "http://two.example:81"}, []string{"127.0.0.1:443", "127.0.0.1:81", "127.0.0.2:81"}},
		{[]string{"http://ten.example"}, []string{
			"127.0.0.1:80", "127.0.0.2:80", "127.0.0.3:80", "127.0.0.4:80", "127.0.0.5:80", "127.0.0.6:80", "127.0.0.7:80", "127.0.0.8:80",
			"127.0.0.9:80", "127.0.0.10:80",
		}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.urls, " "), func(t *testing.T) {
			c := &Cluster{Limits: Limits{Timeout: ample}}
			for _, text := range tt.urls {
				c.Balancer.URLs = append(c.Balancer.URLs, must.URL(text))
			}
			var got []string
			for _, f := range Resolve(t.Context(), c) {
				got = append(got, f.Address.String())
				if f.Lookup.Failure != "" {
					t.Errorf("got look-up %+v, want none", f.Lookup)
				}
			}
			expect.Equal(t, "addresses", fmt.Sprint(tt.want), fmt.Sprint(got))
		})
	}
}

// TestAddressesAt: if there are more addresses than are probed at a time, all are
// probed in turn, and the same ones during one period.
func TestAddressesAt(t *testing.T) {
	var addrs []netip.Addr
	for i := range 70 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
	}
	now := time.Unix(0, 0)
	probed := make(map[netip.Addr]bool)
	for range 3 {
		turn := addressesAt(addrs, now)
		if len(turn) != maxAddresses || !slices.Equal(turn, addressesAt(addrs, now.Add(rotationPeriod-1))) {
			t.Errorf("got %d addresses, want %d, and the same ones until the turn ends", len(turn), maxAddresses)
		}
		for _, a := range turn {
			probed[a] = true
		}
		now = now.Add(rotationPeriod)
	}
	if len(probed) != len(addrs) {
		t.Errorf("got %d addresses in three periods, want all %d", len(probed), len(addrs))
	}
	if got := addressesAt(addrs[:maxAddresses], now); len(got) != maxAddresses {
		t.Errorf("got %d of %d addresses, want all", len(got), maxAddresses)
	}
	for _, n := range []int{1, maxAddresses, len(addrs)} {
		for _, f := range frontendsAt(must.URL("http://shop.example"), addrs[:n], now) {
			f.Address = netip.AddrPort{} // so that nothing is sent
			if got, want := Through(t.Context(), new(Cluster), f).Waiting, max(0, n-maxAddresses); got != want {
				t.Fatalf("of %d addresses: got %d that are probed at other times, want %d", n, got, want)
			}
		}
	}
}

// TestRoutedAddresses: a machine without IPv6 does not take the AAAA record of a site for an address that is down.
func TestRoutedAddresses(t *testing.T) {
	four, six, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	tests := []struct {
		name                  string
		addrs, reachable, all []netip.Addr
		without               int
	}{
		{"no IPv6", []netip.Addr{four, six, other}, []netip.Addr{four}, []netip.Addr{four}, 2},
		{"no IPv4", []netip.Addr{four, six}, []netip.Addr{six}, []netip.Addr{six}, 1},
		{"one of the family", []netip.Addr{four, six, other}, []netip.Addr{four, six}, []netip.Addr{four, six, other}, 0},
		{"no network", []netip.Addr{four, six}, nil, []netip.Addr{four, six}, 0},
		{"one family", []netip.Addr{six, other}, nil, []netip.Addr{six, other}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, without := withRoute(tt.addrs, func(a netip.Addr) bool { return slices.Contains(tt.reachable, a) })
			expect.Equal(t, "addresses", fmt.Sprint(tt.all), fmt.Sprint(got))
			expect.Equal(t, "addresses without a route", tt.without, without)
		})
	}
	for _, f := range frontendsAt(must.URL("http://shop.example"), []netip.Addr{four}, time.Now()) {
		f.Address, f.NoRoute = netip.AddrPort{}, 2 // so that nothing is sent
		expect.Equal(t, "addresses without a route, observed", 2, Through(t.Context(), new(Cluster), f).NoRoute)
	}
}

// TestListeningAddresses: of localhost, only the addresses at which a server listens are its addresses.
func TestListeningAddresses(t *testing.T) {
	four, six, remote := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("10.0.0.1")
	tests := []struct {
		name              string
		addrs, open, want []netip.Addr
	}{
		{"IPv4 only", []netip.Addr{six, four}, []netip.Addr{four}, []netip.Addr{four}},
		{"IPv6 only", []netip.Addr{six, four}, []netip.Addr{six}, []netip.Addr{six}},
		{"both", []netip.Addr{six, four}, []netip.Addr{six, four}, []netip.Addr{four, six}},
		{"down", []netip.Addr{six, four}, nil, []netip.Addr{four}},
		{"another machine, too", []netip.Addr{remote, six}, nil, []netip.Addr{remote, six}},
		{"of one family", []netip.Addr{four, four.Next()}, []netip.Addr{four}, []netip.Addr{four, four.Next()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := listening(tt.addrs, func(a netip.Addr) bool { return slices.Contains(tt.open, a) })
			expect.Equal(t, "addresses", fmt.Sprint(tt.want), fmt.Sprint(got))
		})
	}
	expect.Equal(t, "a closed port accepts", false, accepts(t.Context(), netip.MustParseAddrPort(closed(t).Host)))
	expect.Equal(t, "an open port accepts", true, accepts(t.Context(), netip.MustParseAddrPort(web(t, func(http.ResponseWriter, *http.Request) {}).Host)))
}

func TestResolveLocalhost(t *testing.T) {
	c := &Cluster{Balancer: Balancer{URLs: []*url.URL{must.URL("http://localhost:81")}}, Limits: Limits{Timeout: ample}}
	for _, f := range Resolve(t.Context(), c) {
		if !f.Address.Addr().IsLoopback() || f.Address.Port() != 81 {
			t.Errorf("got %s, want port 81 of a loopback address", f.Address)
		}
	}
}

func TestResolveUnknownName(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name    string
		ctx     context.Context
		host    string
		failure Failure
		words   string
	}{
		{"no such name", t.Context(), "nowhere.invalid", FailureDNS, "no such host"},
		{"silent", t.Context(), "silent.example", FailureDNS, "no answer within 150ms (looking up the name)"},
		{"interrupted", gone, "silent.example", FailureCancelled, "interrupted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Cluster{
				Balancer: Balancer{URLs: []*url.URL{{Scheme: "http", Host: tt.host}}},
				Pages:    []Page{{Path: "/"}}, Limits: Limits{Timeout: short},
			}
			list := Resolve(tt.ctx, c)
			if len(list) != 1 || list[0].Address.IsValid() {
				t.Fatalf("got %+v, want one frontend without an address", list)
			}
			obs := Through(tt.ctx, c, list[0])
			checkPresentable(t, obs.Primary)
			if obs.Primary.Failure != tt.failure || !strings.Contains(obs.Primary.Error, tt.words) || obs.Primary.Path != "/" {
				t.Errorf("got %q of %q: %q, want %q: %q", obs.Primary.Failure, obs.Primary.Path, obs.Primary.Error, tt.failure, tt.words)
			}
		})
	}
}

// TestThroughEveryAddress: each address of a name is dialled, with the name as host.
func TestThroughEveryAddress(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		fmt.Fprint(w, local, " ", r.Host)
	})
	one := web(t, handler)
	c := &Cluster{
		Balancer: Balancer{URLs: []*url.URL{{Scheme: "http", Host: "two.example:" + one.Port()}}},
		Pages:    []Page{{Path: "/"}, {Path: "/a"}}, Limits: Limits{Timeout: ample},
	}
	frontends := Resolve(t.Context(), c)
	if len(frontends) != 2 {
		t.Fatalf("got %d frontends, want 2", len(frontends))
	}
	up, down := Through(t.Context(), c, frontends[0]), Through(t.Context(), c, frontends[1])
	if !up.Primary.OK() || !up.Pages[1].OK() || up.Address != frontends[0].Address || up.Primary.Address != up.Address {
		t.Errorf("first address: got %+v", up)
	}
	if down.Primary.Failure != FailureRefused || down.Primary.Address.String() != "127.0.0.2:"+one.Port() {
		t.Errorf("second address: got %q at %s, want it refused", down.Primary.Failure, down.Primary.Address)
	}
}

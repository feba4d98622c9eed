package demo

import (
	"encoding/binary"
	"net/netip"
)

// sourceHash returns the server that HAProxy's `balance source` assigns to a client,
// with hash-type map-based: the address, as a number, modulo the size of a map of the
// usable servers. The map changes with their set. It returns false without a usable
// server or an address.
func sourceHash(client string, usable, weights []int) (server int, ok bool) {
	addr, err := netip.ParseAddr(client)
	if err != nil || len(usable) == 0 {
		return 0, false
	}
	places := serverMap(usable, weights)
	return places[foldAddr(addr)%uint32(len(places))], true
}

// foldAddr returns the exclusive or of an address's 32-bit words, as get_server_sh of
// HAProxy does.
func foldAddr(addr netip.Addr) (h uint32) {
	for word := addr.AsSlice(); len(word) >= 4; word = word[4:] {
		h ^= binary.BigEndian.Uint32(word)
	}
	return h
}

// serverMap distributes the usable servers by weight, as recalc_server_map of HAProxy
// does. Weights are divided by their greatest common divisor over all servers.
func serverMap(usable, weights []int) []int {
	divisor, total := 0, 0
	for _, w := range weights {
		divisor = gcd(divisor, w)
	}
	for _, i := range usable {
		total += weights[i] / divisor
	}
	scores, places := make([]int, len(weights)), make([]int, total)
	for place := range places {
		best, most := -1, 0
		for _, i := range usable {
			scores[i] += weights[i] / divisor
			if value := (scores[i] + total) / total; best < 0 || value > most {
				best, most = i, value
			}
		}
		scores[best] -= total
		places[place] = best
	}
	return places
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

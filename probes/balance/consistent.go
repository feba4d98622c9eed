package balance

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// pointsPerWeight is the number of points of a server for each unit of its weight.
const pointsPerWeight = 160

type consistent struct {
	pool
	circle []point       // ascending, each hash once
	named  map[int][]int // the lines of the same name, by the first of them
}

// A point is a position on the circle of hash values. Its server gets the keys between
// the previous point and this one.
type point struct {
	hash uint32
	line int32 // the first line of its server's name
}

// Consistent is nginx's `hash KEY consistent` (ketama). Keys are as for Hash.
//
// Lines with the same name share their points, and nginx alternates between them. Pick
// is then not ok.
func Consistent(servers []Server) Picker {
	b := &consistent{pool: newPool(servers), named: make(map[int][]int)}
	first := make(map[string]int)
	for _, line := range b.primaries {
		name := servers[line].Name
		if _, seen := first[name]; !seen {
			first[name] = line
		}
		b.named[first[name]] = append(b.named[first[name]], line)
		b.circle = appendPoints(b.circle, name, first[name], b.shares[line])
	}
	slices.SortStableFunc(b.circle, func(x, y point) int { return cmp.Compare(x.hash, y.hash) })
	b.circle = slices.CompactFunc(b.circle, func(x, y point) bool { return x.hash == y.hash })
	return b
}

func (c *consistent) Pick(key string, without ...int) (int, bool) {
	if !c.usesHash() || key == "" {
		return c.roundRobin(without)
	}
	at, _ := slices.BinarySearchFunc(c.circle, checksum(0, key), func(p point, hash uint32) int {
		return cmp.Compare(p.hash, hash)
	})
	// Each point counts as a try, even if the previous one belonged to the same refused
	// server. An ejected server of high weight can use up all tries.
	for range tries {
		p := c.circle[at%len(c.circle)]
		switch line, count := c.available(c.named[int(p.line)], without); count {
		case 0:
			at++
		case 1:
			return line, true
		default:
			return noServer, false
		}
	}
	return c.roundRobin(without)
}

// appendPoints adds the points of a server: a chain of checksums of HOST, a zero byte,
// PORT, and the previous checksum in little-endian order.
func appendPoints(points []point, name string, line, weight int) []point {
	host, port := hostPort(name)
	base := checksum(checksum(checksum(0, host), "\x00"), port)
	var before [4]byte
	for range weight * pointsPerWeight {
		hash := checksum(base, before[:])
		points = append(points, point{hash, int32(line)})
		binary.LittleEndian.PutUint32(before[:], hash)
	}
	return points
}

// hostPort splits a server line's argument as nginx does for its points. The path of a
// unix socket is a host, and so is a text that does not end with a port number.
func hostPort(name string) (host, port string) {
	const unix = "unix:"
	if len(name) >= len(unix) && strings.EqualFold(name[:len(unix)], unix) {
		return name[len(unix):], ""
	}
	colon := strings.LastIndexByte(name, ':')
	if colon < 0 || strings.Trim(name[colon+1:], "0123456789") != "" {
		return name, ""
	}
	return name[:colon], name[colon+1:]
}

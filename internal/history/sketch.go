package history

import (
	"encoding/binary"
	"errors"
	"math"
)

// A sketch is a histogram of latencies in buckets whose bounds grow by a constant factor. Its quantiles
// differ from those of the latencies by at most sketchError. The sum of two sketches is the sketch of
// all their latencies.
type sketch [256]uint64

const sketchError = 0.05

// sketchStep is the logarithm of the factor. Bucket i ends at its power i, in microseconds: the last one
// at more than a day.
var sketchStep = math.Log((1 + sketchError) / (1 - sketchError))

// observe adds a latency in microseconds.
func (s *sketch) observe(latency int64) {
	i := math.Ceil(math.Log(float64(max(latency, 1))) / sketchStep)
	s[min(int(i), len(s)-1)]++
}

// add adds the latencies of another sketch.
func (s *sketch) add(other *sketch) {
	for i, n := range other {
		s[i] += n
	}
}

// count returns the number of latencies.
func (s *sketch) count() (sum uint64) {
	for _, n := range s {
		sum += n
	}
	return sum
}

// quantile returns the smallest latency, in microseconds, that a share q of all does not exceed; 0: there
// is none.
func (s *sketch) quantile(q float64) int64 {
	rank, sum := uint64(math.Ceil(q*float64(s.count()))), uint64(0)
	for i, n := range s {
		if sum += n; n > 0 && sum >= rank {
			// This has the same relative distance from both ends of the bucket.
			return max(1, int64(math.Round(math.Exp(float64(i)*sketchStep)*(1-sketchError))))
		}
	}
	return 0
}

// encode returns a sketch as varints: the counts of its buckets, and for each row of empty ones its length
// as a negative number. An empty sketch is nil.
func (s *sketch) encode() (data []byte) {
	empty := int64(0)
	for _, n := range s {
		if n == 0 {
			empty++
			continue
		}
		if empty > 0 {
			data = binary.AppendVarint(data, -empty)
		}
		data, empty = binary.AppendVarint(data, int64(n)), 0
	}
	return data
}

var errSketch = errors.New("a sketch of latencies is damaged")

// decode replaces s by the sketch that encode returned as data.
func (s *sketch) decode(data []byte) error {
	*s = sketch{}
	total := int64(0)
	for bucket := 0; len(data) > 0; {
		n, length := binary.Varint(data)
		if length <= 0 || n < -int64(len(s)) || bucket >= len(s) || n > math.MaxInt64-total {
			return errSketch
		}
		data = data[length:]
		if n <= 0 {
			bucket += int(-n)
			continue
		}
		s[bucket] = uint64(n)
		total += n
		bucket++
	}
	return nil
}

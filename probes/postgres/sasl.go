package postgres

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"

	"stickwatch/probes/internal/readlimit"
)

// maxIterations bounds how often the server may have the password hashed, which
// cannot be interrupted: 500,000 take about 200 ms. PostgreSQL's default is 4096.
const maxIterations = 500_000

// A saslReader reads messages ahead of pgx and ends when the server asks for more
// than maxIterations. pgx's own bound takes seconds.
type saslReader struct {
	r      io.Reader
	header []byte // of the message under way: type and length
	skip   int    // what is left of a body that nobody looks at
	body   []byte // of a message about the login
	want   int    // what is left of it
}

// Read reads from r what is sound.
func (s *saslReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		var bad error
		if rest, bad = s.take(rest); bad != nil {
			return 0, bad
		}
	}
	return n, err
}

// take takes in a part of a message, and returns what follows it.
func (s *saslReader) take(p []byte) ([]byte, error) {
	switch {
	case s.skip > 0:
		n := min(s.skip, len(p))
		s.skip -= n
		return p[n:], nil
	case s.want > 0:
		n := min(s.want, len(p))
		s.body, s.want = append(s.body, p[:n]...), s.want-n
		if s.want > 0 {
			return p[n:], nil
		}
		return p[n:], soundLogin(s.body)
	}
	const headerLength = 1 + 4
	n := min(headerLength-len(s.header), len(p))
	s.header = append(s.header, p[:n]...)
	if len(s.header) == headerLength {
		// A length beyond the budget is for pgx to refuse; it reads no further.
		length := min(max(0, int(binary.BigEndian.Uint32(s.header[1:]))-4), readlimit.Budget)
		if s.header[0] == 'R' {
			s.body, s.want = s.body[:0], length
		} else {
			s.skip = length
		}
		s.header = s.header[:0]
	}
	return p[n:], nil
}

// soundLogin reports that the body of an authentication message asks for too much.
func soundLogin(body []byte) error {
	const saslContinue = "\x00\x00\x00\x0b"
	text, ok := strings.CutPrefix(string(body), saslContinue)
	if !ok {
		return nil
	}
	for field := range strings.SplitSeq(text, ",") {
		count, ok := strings.CutPrefix(field, "i=")
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(count); err != nil || n > maxIterations {
			return fmt.Errorf("the server asks for %.20s rounds of hashing the password, want at most %d", count, maxIterations)
		}
	}
	return nil
}

package config

import (
	"errors"
	"strconv"
	"strings"

	"stickwatch/probes"
)

var errStatus = errors.New("expected an HTTP status such as 200, or a range such as 200-399")

// A statusRange is a probes.StatusRange in the format of the file.
type statusRange probes.StatusRange

func (r *statusRange) UnmarshalText(text []byte) error {
	first, last, ok := strings.Cut(string(text), "-")
	if !ok {
		last = first
	}
	from, err1 := strconv.Atoi(strings.TrimSpace(first))
	to, err2 := strconv.Atoi(strings.TrimSpace(last))
	if err := errors.Join(err1, err2); err != nil || from < 100 || to > 599 || from > to {
		return errStatus
	}
	*r = statusRange{From: from, To: to}
	return nil
}

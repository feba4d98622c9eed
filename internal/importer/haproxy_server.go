package importer

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// haproxyHealth are the parameters of ejection.
type haproxyHealth struct {
	check, observe bool
	inter          time.Duration
	rise, fall     int
	errorLimit     int
}

// ejection converts the parameters to nginx's terms.
func (h haproxyHealth) ejection() ejection {
	back := max(h.inter*time.Duration(h.rise), time.Second)
	back = (back + time.Second - 1).Truncate(time.Second)
	switch {
	case !h.check:
		return ejection{failTimeout: 10 * time.Second, explicit: true, derivedFrom: "no server has check: HAProxy takes none out"}
	case h.observe:
		return ejection{
			maxFails: h.errorLimit, failTimeout: back, explicit: true,
			derivedFrom: fmt.Sprintf("observe: %d failed requests in a row, and back after %d good checks", h.errorLimit, h.rise),
		}
	default:
		return ejection{
			maxFails: h.fall, failTimeout: back, explicit: true,
			derivedFrom: fmt.Sprintf("checks every %s: out after %d that fail, back after %d that pass; requests that fail count for nothing", h.inter, h.fall, h.rise),
		}
	}
}

// haproxyServer parses server NAME ADDRESS [PARAMETERS] after the default parameters.
func haproxyServer(d directive, usual []string, h haproxyHealth) (server, haproxyHealth, error) {
	s := server{position: d.position, name: d.arg(0), scheme: "http", weight: 1}
	if len(d.args) < 2 {
		return s, h, d.errorf("server: expected NAME ADDRESS, got %d arguments", len(d.args))
	}
	s.address = haproxyAddress(d.arg(1))
	h.errorLimit = 10
	for _, params := range [][]string{usual, d.args[2:]} {
		for i, param := range params {
			value := ""
			if i+1 < len(params) {
				value = params[i+1]
			}
			if err := s.haproxyParam(&h, param, value); err != nil {
				return s, h, d.errorf("server %s: %s %s: %w", quoted(s.name), quotedBare(param), quoted(value), err)
			}
		}
	}
	return s, h, nil
}

func (s *server) haproxyParam(h *haproxyHealth, param, value string) (err error) {
	switch param {
	case "weight":
		if s.weight, err = atLeast(value, 0); err == nil && s.weight == 0 {
			s.weight, s.down = 1, true // weight 0 keeps clients and gets no new ones
		}
	case "cookie":
		s.label = value
	case "backup":
		s.backup = true
	case "disabled":
		s.down = true
	case "enabled":
		s.down = false
	case "ssl":
		s.scheme = "https"
	case "no-ssl":
		s.scheme = "http"
	case "check":
		h.check = true
	case "no-check":
		h.check = false
	case "observe":
		h.observe = true
	case "inter":
		h.inter, err = times(value, time.Millisecond)
	case "rise":
		h.rise, err = atLeast(value, 1)
	case "fall":
		h.fall, err = atLeast(value, 1)
	case "error-limit":
		h.errorLimit, err = atLeast(value, 1)
	}
	return err
}

// haproxyAddress returns the address of a server line as in a URL; "" for sockets and
// other addresses that cannot be probed.
func haproxyAddress(text string) string {
	for _, family := range []string{"ipv4@", "ipv6@"} {
		text = strings.TrimPrefix(text, family)
	}
	if i := strings.LastIndexByte(text, ':'); i > 0 && strings.Contains(text[:i], ":") && text[0] != '[' { // ::1:8080
		if ip, err := netip.ParseAddr(text[:i]); err == nil && ip.Is6() {
			text = "[" + text[:i] + "]" + text[i:]
		}
	}
	if !validAddress(text) {
		return ""
	}
	return text
}

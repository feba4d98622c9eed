package post

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"stickwatch/alerting"
	"stickwatch/probes"
)

// LimitPause is the pause after an API has refused a message because there were too many
// in a minute. Such limits end with the minute.
const LimitPause = time.Minute

// MaxReason bounds the reason that a service gives, in bytes.
const MaxReason = 200

var errNoCode = errors.New("the answer is not one of the API")

// NoCode judges an answer that the API did not give: by its status, but it is no success,
// because it may be that of a proxy.
func NoCode(status int) (judged bool, err error) {
	if status >= 200 && status < 300 {
		return true, alerting.Retriable{Err: errNoCode}
	}
	return false, nil
}

// Codes are the error codes in the JSON answers of an API whose status does not show
// success from failure. All other codes last until somebody corrects the configuration.
type Codes struct {
	Service string                     // for errors
	Read    func(answer []byte) Answer // reads an answer
	Limited []int                      // too many messages
	Passing []int                      // temporary faults
	Message []int                      // the message can never be accepted
	Advice  map[int]string             // remedies
}

// An Answer is what an API says about a message.
type Answer struct {
	Code *int // 0: accepted; nil: there is none
	Text string
}

// ReadJSON returns a function that reads the code and the text of an answer from the
// members with these names.
func ReadJSON(code, text string) func([]byte) Answer {
	return func(answer []byte) Answer {
		var members map[string]any
		if json.Unmarshal(answer, &members) != nil {
			return Answer{}
		}
		var a Answer
		if number, ok := members[code].(float64); ok {
			a.Code = new(int(number))
		}
		a.Text, _ = members[text].(string)
		return a
	}
}

// Judge implements Judge. An answer without a code is judged by its status, and is no
// success.
func (c Codes) Judge(status int, answer []byte) (judged bool, err error) {
	a := c.Read(answer)
	switch {
	case a.Code == nil:
		return NoCode(status)
	case *a.Code == 0:
		return true, nil
	}
	err = fmt.Errorf("%s returned %d: %q", c.Service, *a.Code, probes.Clean(a.Text, MaxReason))
	if advice := c.Advice[*a.Code]; advice != "" {
		err = fmt.Errorf("%w (%s)", err, advice)
	}
	switch {
	case slices.Contains(c.Message, *a.Code):
		return true, alerting.Permanent{Err: err}
	case slices.Contains(c.Limited, *a.Code):
		return true, alerting.Retriable{After: LimitPause, Err: err}
	case slices.Contains(c.Passing, *a.Code):
		return true, alerting.Retriable{Err: err}
	default:
		return true, alerting.Retriable{After: RepairPause, Err: err}
	}
}

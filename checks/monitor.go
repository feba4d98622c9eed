package checks

import (
	"path/filepath"
	"time"
)

// DamagedHistory is the finding that the history was damaged when the monitor began:
// where the file is kept, the first thing that was wrong with it, and how many rows
// of which tables were saved.
func DamagedHistory(kept, damage string, saved []string) Finding {
	evidence := []Message{msg(MsgHistoryKept, Args{Path: kept}), msg(MsgHistoryDamage, Args{Reason: damage})}
	if len(saved) > 0 {
		evidence = append(evidence, msg(MsgHistorySaved, Args{Values: saved}))
	}
	for i, m := range evidence {
		evidence[i] = m.sanitized()
	}
	return Finding{
		Code: HistoryDamaged, Severity: Warning, Target: filepath.Base(kept),
		Summary: msg(MsgHistoryDamaged, Args{}), Remedy: msg(MsgCheckDisk, Args{}), Evidence: evidence,
	}
}

// This file is what stickwatch says when it cannot probe: of itself, of no cluster.

// CannotConnect says that this machine could not connect, in the words of the
// operating system.
func CannotConnect(reason string) Message { return msg(MsgCannotConnect, Args{Reason: reason}) }

// NoRoute says that this machine has no way to an address any more to which it had one.
func NoRoute(address, reason string) Message {
	return msg(MsgNoRoute, Args{Address: address, Reason: reason})
}

// NobodyAnswers says that so many clusters, all there are, fell silent at one time.
func NobodyAnswers(clusters int) Message { return msg(MsgNobodyAnswers, Args{Count: clusters}) }

// ClockJumped says that the wall clock was set while a round was under way.
func ClockJumped(by time.Duration) Message { return msg(MsgClockJumped, Args{Duration: by}) }

// ProberImpairedBy is the finding that stickwatch itself cannot probe, for a reason.
func ProberImpairedBy(reason Message) Finding {
	return Finding{
		Code: ProberImpaired, Severity: Critical, Summary: msg(MsgProberImpaired, Args{}),
		Evidence: []Message{reason}, Remedy: msg(MsgRepairProber, Args{}),
	}.sanitized()
}

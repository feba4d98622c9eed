package checks

import (
	"path/filepath"
	"time"
)

// DamagedHistory returns the finding that the history was damaged when the monitor
// started. kept is where the damaged file is kept, damage the first error in it, and
// saved the tables with the number of rows that were recovered.
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

// The functions below return reasons for which stickwatch itself cannot probe. They
// concern no cluster.

// CannotConnect says that this machine cannot open connections, with the error of the
// operating system.
func CannotConnect(reason string) Message { return msg(MsgCannotConnect, Args{Reason: reason}) }

// NoRoute says that this machine has lost its route to an address.
func NoRoute(address, reason string) Message {
	return msg(MsgNoRoute, Args{Address: address, Reason: reason})
}

// NobodyAnswers says that all clusters, of the given number, stopped answering at one
// time.
func NobodyAnswers(clusters int) Message { return msg(MsgNobodyAnswers, Args{Count: clusters}) }

// ClockJumped says that the wall clock was set during a round.
func ClockJumped(by time.Duration) Message { return msg(MsgClockJumped, Args{Duration: by}) }

// ProberOverloadedBy returns the finding that the machine is too small, with the factor by
// which intervals are too long.
func ProberOverloadedBy(factor float64) Finding {
	return Finding{
		Code: ProberOverloaded, Severity: Warning, Summary: msg(MsgProberOverloaded, Args{}),
		Evidence: []Message{msg(MsgStretched, Args{Rate: factor})}, Remedy: msg(MsgRelieveProber, Args{}),
	}
}

// withoutDatabase is the target of the impairment of a fleet whose database is away.
const withoutDatabase = "database"

// FleetWithoutDatabase returns the finding that an instance of a fleet cannot reach the database.
func FleetWithoutDatabase() Finding {
	return Finding{
		Code: ProberImpaired, Severity: Warning, Target: withoutDatabase, Summary: msg(MsgFleetWithoutDatabase, Args{}),
		Evidence: []Message{msg(MsgFleetAlone, Args{})}, Remedy: msg(MsgRepairDatabase, Args{}),
	}
}

// CannotProbe reports whether a finding says that stickwatch itself cannot probe.
func (f Finding) CannotProbe() bool { return f.Code == ProberImpaired && f.Target == "" }

// ProberImpairedBy returns the finding that stickwatch itself cannot probe, for a
// reason.
func ProberImpairedBy(reason Message) Finding {
	return Finding{
		Code: ProberImpaired, Severity: Critical, Summary: msg(MsgProberImpaired, Args{}),
		Evidence: []Message{reason}, Remedy: msg(MsgRepairProber, Args{}),
	}.sanitized()
}

package checks

import "time"

// This file is what stickwatch says when it cannot probe: of itself, of no cluster.

// CannotConnect says that this machine could not connect, in the words of the
// operating system.
func CannotConnect(reason string) Message { return msg(MsgCannotConnect, Args{Reason: reason}) }

// NoWay says that this machine has no way to an address any more to which it had one.
func NoWay(address, reason string) Message {
	return msg(MsgNoWay, Args{Address: address, Reason: reason})
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

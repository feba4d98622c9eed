package checks

import "path/filepath"

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

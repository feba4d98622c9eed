package web

import (
	"html/template"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// What receivers are told and what pages show is worded in one place: package
// alerting.

// title is a code in words.
func (s speech) title(c checks.Code) string { return alerting.Language(s.language).Title(c) }

// summary is an incident in one sentence.
func (s speech) summary(i alerting.Incident) string {
	return line(alerting.Language(s.language).Summary(i))
}

// affected says how many clients are concerned; "": that is not estimated.
func (s speech) affected(a checks.Affected) string { return alerting.Language(s.language).Affected(a) }

// sentence is a message of the checks.
func (s speech) sentence(m checks.Message) string {
	return line(alerting.Language(s.language).Say(m))
}

// remedy is what to do about a finding.
func (s speech) remedy(f checks.Finding) string {
	return long(alerting.Language(s.language).Say(f.Remedy))
}

// event tells what happened in an incident.
func (s speech) event(e alerting.Event) string { return line(alerting.Language(s.language).Event(e)) }

// foreign marks what stays English on pages in another language, for screen
// readers to pronounce it so.
func (s speech) foreign() template.HTMLAttr {
	if s.language == english {
		return ""
	}
	return ` lang="en"`
}

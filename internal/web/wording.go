package web

import (
	"html/template"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// What receivers are told and what pages show is worded in one place: package
// alerting.

// title is a code in words.
func (s formatter) title(c checks.Code) string { return alerting.Language(s.language).Title(c) }

// summary is an incident in one sentence.
func (s formatter) summary(i alerting.Incident) string {
	i.Cause.Summary = i.Cause.Summary.InZone(s.zone)
	return line(alerting.Language(s.language).Summary(i))
}

// affected says how many clients are concerned; "": that is not estimated.
func (s formatter) affected(a checks.Affected) string {
	return alerting.Language(s.language).Affected(a)
}

// sentence is a message of the checks, with its times in the zone of the page.
func (s formatter) sentence(m checks.Message) string {
	return line(alerting.Language(s.language).Translate(m.InZone(s.zone)))
}

// remedy is what to do about a finding.
func (s formatter) remedy(f checks.Finding) string {
	return long(alerting.Language(s.language).Translate(f.Remedy))
}

// event tells what happened in an incident.
func (s formatter) event(e alerting.Event) string {
	return line(alerting.Language(s.language).Event(e))
}

// englishLang marks what stays English on pages in another language, for screen
// readers to pronounce it so.
func (s formatter) englishLang() template.HTMLAttr {
	if s.language == english {
		return ""
	}
	return ` lang="en"`
}

package main

import (
	"time"

	"github.com/spf13/cobra"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/phrase"
)

// A languageFlag is the language of what a command prints for people. Errors, help and what
// programs read are in English.
type languageFlag struct{ setting[string] }

func newLanguageFlag() languageFlag {
	return languageFlag{newSetting("", oneOf([]string{string(alerting.English), string(alerting.Chinese)}))}
}

func (f *languageFlag) register(cmd *cobra.Command) {
	cmd.Flags().Var(f, "language", "`LANGUAGE` of texts: en or zh (default: alerting.language)")
	completeFlag(cmd, "language", string(alerting.English), string(alerting.Chinese))
}

// languageSection is for commands with nothing else about their output.
var languageSection = section{"Output", []string{"language"}}

// reader returns the reader of a command: the language of the flag, else that of the
// configuration, and the configuration's time zone. Without a configuration times are local.
func (f *languageFlag) reader(cfg *config.Config) phrase.Reader {
	reader := phrase.Reader{Language: checks.Language(f.value), Zone: time.Local}
	if cfg != nil {
		reader.Zone = cfg.Alerting.Location
		if f.value == "" {
			reader.Language = checks.Language(cfg.Alerting.Language)
		}
	}
	return reader
}

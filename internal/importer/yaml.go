package importer

import (
	"encoding/json"
	"regexp"
	"strings"

	"stickwatch/probes"
)

// maxScalar limits a value, in bytes.
const maxScalar = 1000

// bare matches text that needs no quotes in YAML, in flow mappings too, and is no
// number, boolean or null.
var bare = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*(://[A-Za-z0-9_.-]+(:[0-9]+)?[A-Za-z0-9_./-]*)?$`)

var reserved = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null)$`)

// yaml formats a value for stickwatch.yml: plain where that is safe, else in quotes
// with escapes common to JSON and YAML. "${" is escaped.
func yaml(text string) string {
	text = probes.Clean(text, maxScalar)
	if bare.MatchString(text) && !reserved.MatchString(text) {
		return text
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(strings.ReplaceAll(text, "${", "$${")) // a string can always be encoded
	return strings.TrimSuffix(out.String(), "\n")
}

// mapping formats a flow mapping of alternating keys and values, without empty values.
func mapping(keysAndValues ...string) string {
	var pairs []string
	for i := 0; i < len(keysAndValues); i += 2 {
		if value := keysAndValues[i+1]; value != "" {
			pairs = append(pairs, keysAndValues[i]+": "+yaml(value))
		}
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

package importer

import (
	"encoding/json"
	"regexp"
	"strings"

	"stickwatch/probes"
)

// maxScalar bounds one value, in bytes.
const maxScalar = 1000

// bare is text that is itself in YAML, in flow mappings too, and no number,
// boolean or null.
var bare = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*(://[A-Za-z0-9_.-]+(:[0-9]+)?[A-Za-z0-9_./-]*)?$`)

var reserved = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null)$`)

// yaml is a value as stickwatch.yml writes it: as it is where that is safe, else
// in quotes, whose escapes in JSON are those of YAML. A "${" in it is no
// variable.
func yaml(text string) string {
	text = probes.Clean(text, maxScalar)
	if bare.MatchString(text) && !reserved.MatchString(text) {
		return text
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(strings.ReplaceAll(text, "${", "$${")) // a text can always be encoded
	return strings.TrimSuffix(out.String(), "\n")
}

// mapping is a flow mapping of keys and values in turns, without those that are
// empty.
func mapping(keysAndValues ...string) string {
	var pairs []string
	for i := 0; i < len(keysAndValues); i += 2 {
		if value := keysAndValues[i+1]; value != "" {
			pairs = append(pairs, keysAndValues[i]+": "+yaml(value))
		}
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

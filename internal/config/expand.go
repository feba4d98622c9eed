package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A getenv looks up an environment variable, like os.LookupEnv.
type getenv func(name string) (value string, ok bool)

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// wholeVariable matches text that consists of a single variable.
	wholeVariable = regexp.MustCompile(`^["']?\$\{[A-Za-z_][A-Za-z0-9_]*\}["']?$`)
)

// expand replaces ${NAME} and ${NAME:-default} in text. As in a shell, the default is
// used for a variable that is unset or empty. Only "${" starts a variable, because
// regular expressions often contain "$"; "$${" is a literal "${". Values are not
// expanded again.
func expand(text string, env getenv) (string, error) {
	var out strings.Builder
	for {
		before, after, ok := strings.Cut(text, "${")
		if !ok {
			out.WriteString(text)
			return out.String(), nil
		}
		if strings.HasSuffix(before, "$") {
			out.WriteString(before[:len(before)-1] + "${")
			text = after
			continue
		}
		reference, rest, ok := strings.Cut(after, "}")
		if !ok {
			return "", errors.New("${ without }: write $${ for a literal ${")
		}
		value, err := lookup(reference, env)
		if err != nil {
			return "", err
		}
		out.WriteString(before + value)
		text = rest
	}
}

// lookup returns the value of NAME or NAME:-default.
func lookup(reference string, env getenv) (string, error) {
	name, fallback, optional := strings.Cut(reference, ":-")
	if !variableName.MatchString(name) {
		return "", errors.New("expected ${NAME} or ${NAME:-default}: write $${ for a literal ${")
	}
	value, ok := env(name)
	switch {
	case optional && value == "":
		return fallback, nil
	case !ok:
		return "", fmt.Errorf("the environment variable %s is not set: set it, or write ${%s:-default}", name, name)
	}
	return value, nil
}

package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A getenv looks a variable up, as os.LookupEnv does.
type getenv func(name string) (value string, ok bool)

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// wholeVariable is text that shows nothing but which variable it comes from.
	wholeVariable = regexp.MustCompile(`^["']?\$\{[A-Za-z_][A-Za-z0-9_]*\}["']?$`)
)

// expand replaces ${NAME} and ${NAME:-default} in text. The default stands in
// for a variable that is unset or empty, as in a shell. Only "${" starts a
// variable, since regular expressions are full of "$"; "$${" is a literal
// "${". Values are taken as they are: a "${" in one is not expanded again.
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

// lookup is the value of NAME or NAME:-default.
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

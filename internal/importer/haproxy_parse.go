package importer

import (
	"regexp"
	"slices"
	"strings"
)

// haproxySections are the keywords that begin a section.
var haproxySections = []string{
	"global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "userlist", "mailers", "program",
	"cache", "http-errors", "ring", "fcgi-app", "log-forward", "log-profile", "crt-store", "traces", "acme", "healthcheck",
}

// An haproxyParser parses a haproxy.cfg: sections with their lines as blocks. HAProxy
// has no includes. Variables that the file sets are expanded; others are kept.
type haproxyParser struct {
	env      variables
	branches []haproxyBranch // of the open .if, the innermost last
	sections []directive
	noteList
}

// An haproxyBranch is the current branch of an .if.
type haproxyBranch struct {
	position
	holds conditionResult // condition of the branch
	past  conditionResult // whether an earlier branch was taken
}

func parseHAProxy(file, text string) ([]directive, noteList, error) {
	p := &haproxyParser{env: variables{}}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		at := position{file, i + 1}
		words, err := haproxyWords(at, line, p.env)
		switch {
		case err != nil:
			return nil, nil, err
		case len(words) == 0:
		case strings.HasPrefix(words[0], "."):
			if err := p.control(at, words); err != nil {
				return nil, nil, err
			}
		case templateLength([]byte(words[0])) > 0:
			p.note("%s: %s is a statement of a template: what it writes is not in this file", at, quoted(strings.TrimSpace(line)))
		case p.applies():
			if err := p.line(at, words); err != nil {
				return nil, nil, err
			}
		}
	}
	if len(p.branches) > 0 {
		return nil, nil, p.branches[len(p.branches)-1].errorf("the .if is never closed by an .endif")
	}
	return p.sections, p.noteList, nil
}

// line adds a line that is no condition.
func (p *haproxyParser) line(at position, words []string) error {
	line := directive{position: at, name: words[0], args: words[1:]}
	if slices.Contains(haproxySections, line.name) {
		if needsName(line.name) && len(line.args) == 0 {
			return at.errorf("%s needs a name", line.name)
		}
		p.sections = append(p.sections, line)
		return nil
	}
	if len(p.sections) == 0 {
		return at.errorf("%s is outside of a section: expected global, defaults, frontend, backend or listen", quoted(line.name))
	}
	section := &p.sections[len(p.sections)-1]
	section.block = append(section.block, line)
	if section.name == "global" && len(line.args) > 0 {
		value := strings.Join(line.args[1:], " ")
		switch _, known := p.env[line.args[0]]; {
		case line.name == "setenv" && len(value) < 1<<10, line.name == "presetenv" && !known && len(value) < 1<<10:
			p.env[line.args[0]] = value
		case line.name == "unsetenv":
			delete(p.env, line.args[0])
		}
	}
	return nil
}

func needsName(section string) bool {
	return section == "frontend" || section == "backend" || section == "listen"
}

// applies reports whether the lines of the current branches are read. A condition that
// is not known is read as if it held.
func (p *haproxyParser) applies() bool {
	return !slices.ContainsFunc(p.branches, func(b haproxyBranch) bool { return b.holds == no || b.past != no })
}

// control handles .if, .elif, .else and .endif.
func (p *haproxyParser) control(at position, words []string) error {
	if words[0] == ".if" {
		if len(p.branches) >= maxDepth {
			return at.errorf("more than %d .if in each other", maxDepth)
		}
		p.branches = append(p.branches, haproxyBranch{position: at, holds: p.condition(at, words)})
		return nil
	}
	if !slices.Contains([]string{".elif", ".else", ".endif"}, words[0]) {
		return nil // .notice and similar
	}
	if len(p.branches) == 0 {
		return at.errorf("%s without an .if", words[0])
	}
	b := &p.branches[len(p.branches)-1]
	b.past = max(b.past, b.holds)
	switch words[0] {
	case ".elif":
		b.holds = p.condition(at, words)
	case ".else":
		b.holds = yes
	case ".endif":
		p.branches = p.branches[:len(p.branches)-1]
	}
	return nil
}

// condition evaluates the condition of an .if or .elif.
func (p *haproxyParser) condition(at position, words []string) conditionResult {
	text := strings.Join(words[1:], " ")
	any := no
	for alternative := range strings.SplitSeq(text, "||") {
		all := yes
		for term := range strings.SplitSeq(alternative, "&&") {
			all = min(all, p.term(strings.TrimSpace(term)))
		}
		any = max(any, all)
	}
	if any == maybe && p.applies() {
		p.note("%s: %s %s depends on the environment: its lines are read as if it were true, and those of its .else are not", at, words[0], text)
	}
	return any
}

var haproxyPredicate = regexp.MustCompile(`^([a-z_]+)\(([^(),]*)(?:,([^(),]*))?\)$`)

// term evaluates a predicate. The newest version with all features is assumed.
func (p *haproxyParser) term(text string) conditionResult {
	if rest, ok := strings.CutPrefix(text, "!"); ok {
		return yes - p.term(strings.TrimSpace(rest))
	}
	if strings.Trim(text, "0123456789") == "" {
		return truthOf(strings.Trim(text, "0") != "")
	}
	call := haproxyPredicate.FindStringSubmatch(text)
	if call == nil {
		return maybe
	}
	a, b := strings.TrimSpace(call[2]), strings.TrimSpace(call[3])
	unknown := strings.Contains(a+b, "${")
	switch _, set := p.env[a]; call[1] {
	case "defined":
		if set {
			return yes
		}
	case "streq", "strneq":
		if !unknown {
			return truthOf((a == b) == (call[1] == "streq"))
		}
	case "strstr":
		if !unknown {
			return truthOf(strings.Contains(a, b))
		}
	case "feature", "version_atleast", "openssl_version_atleast":
		return yes
	case "version_before", "openssl_version_before":
		return no
	}
	return maybe
}

// haproxyVariable matches a reference to an environment variable at the beginning of a
// text: $NAME, ${NAME}, ${NAME-default}, ${NAME[*]}.
var haproxyVariable = regexp.MustCompile(`^\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:\[\*\])?(?:-([^}]*))?\})`)

// haproxyExpand returns the value of the variable at the beginning of text, and the
// length of the reference; 0: there is none.
func haproxyExpand(text string, env variables) (value string, length int) {
	found := haproxyVariable.FindStringSubmatch(text)
	if found == nil {
		return "", 0
	}
	name, fallback := found[1]+found[2], found[3]
	switch set, known := env[name]; {
	case known:
		return set, len(found[0])
	case fallback != "":
		return fallback, len(found[0])
	default:
		return "${" + name + "}", len(found[0])
	}
}

// haproxyWords splits a line as HAProxy does: quotes may occur anywhere in a word, a
// backslash escapes a blank, a quote, "#", "$" or another backslash except within '...',
// where variables are not expanded either.
func haproxyWords(at position, line string, env variables) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	end := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		if value, length := haproxyExpand(line[i:], env); length > 0 && quote != '\'' && word.Len() < 1<<12 {
			word.WriteString(value)
			inWord = true
			i += length - 1
			continue
		}
		switch {
		case c == quote && quote != 0:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(line) && strings.IndexByte(` \#'"$`, line[i+1]) >= 0:
			i++
			word.WriteByte(line[i])
			inWord = true
		case quote != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == '#':
			end()
			return words, nil
		case c == ' ' || c == '\t' || c == '\r':
			end()
		default:
			if length := templateLength([]byte(line[i:])); length > 0 { // {{ NAME }} is one word
				word.WriteString(line[i : i+length])
				i += length - 1
			} else {
				word.WriteByte(c)
			}
			inWord = true
		}
	}
	if quote != 0 {
		return nil, at.errorf("the quote %c is never closed", quote)
	}
	end()
	return words, nil
}

// A conditionResult is the result of a condition of a balancer, for a request that is known in
// part.
type conditionResult int8

// The results. And is their minimum, or their maximum.
const (
	no conditionResult = iota
	maybe
	yes
)

func truthOf(b bool) conditionResult {
	if b {
		return yes
	}
	return no
}

package importer

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"stickwatch/internal/config"
	"stickwatch/probes"
)

//go:embed stickwatch.yml.tmpl
var layout string

var fileTemplate = template.Must(template.New("stickwatch.yml").Funcs(template.FuncMap{
	"yaml":    yaml,
	"comment": comment,
}).Parse(layout))

// YAML returns the configuration: commented, in UTF-8, and valid. A cluster that no
// configuration may contain becomes a comment with the reason. It returns an error if no
// cluster is left.
func (imp *Import) YAML() ([]byte, error) {
	text, err := imp.write()
	if err == nil {
		return text, nil
	}
	var refused []string
	for _, c := range imp.candidates {
		_, alone := c.alone().write()
		if problems, ok := errors.AsType[config.Problems](alone); ok && c.skeleton == "" && problems[0].Key != "" {
			_, key, _ := strings.Cut(problems[0].Key, ".") // of the only cluster
			c.skeleton = key + ": " + problems[0].Message
			refused = append(refused, c.withPosition(c.name+": "+c.skeleton))
		}
	}
	switch {
	case len(refused) == 0: // a defect
		return nil, err
	case !slices.ContainsFunc(imp.candidates, func(c *candidate) bool { return c.skeleton == "" }):
		return nil, fmt.Errorf("%s: %w: %s", imp.from, errNoUpstream, strings.Join(refused, "; "))
	}
	return imp.write()
}

// errNoUpstream says that every cluster would be a comment.
var errNoUpstream = errors.New("no upstream can be watched")

// alone returns an import of the candidate only.
func (c *candidate) alone() *Import { return &Import{candidates: []*candidate{c}} }

// write returns the configuration, if it is valid.
func (imp *Import) write() ([]byte, error) {
	var clusters []string
	for _, d := range imp.drafts() {
		var out strings.Builder
		if err := fileTemplate.ExecuteTemplate(&out, "cluster", d); err != nil {
			return nil, fmt.Errorf("writing the cluster %s: %w", d.Name, err)
		}
		text := out.String()
		if d.Skeleton != "" {
			text = skeleton(text, d.Skeleton)
		}
		clusters = append(clusters, text)
	}
	var out strings.Builder
	err := fileTemplate.Execute(&out, map[string]any{"From": probes.Clean(imp.from, 200), "Notes": imp.Notes(), "Clusters": clusters})
	if err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	text := []byte(out.String())
	if _, err := config.Parse("stickwatch.yml", text, func(string) (string, bool) { return "", false }); err != nil {
		return nil, fmt.Errorf("checking the configuration that %s comes to: %w", imp.from, err)
	}
	return text, nil
}

// skeletonMark begins each line of a cluster that is written as a comment.
const skeletonMark = "  #|"

// skeleton returns the text of a cluster as a comment, with the reason.
func skeleton(text, why string) string {
	head := comment(2, "GUESS: ", why+": complete the lines below, and remove their \"#|\"")
	return head + strings.ReplaceAll(text, "\n  ", "\n"+skeletonMark)
}

// drafts returns the clusters with unique names.
func (imp *Import) drafts() []draft {
	var out []draft
	for _, candidate := range imp.candidates {
		out = append(out, candidate.draft())
	}
	return out
}

// Guesses returns the guessed values, one per line with the cluster and the key.
func (imp *Import) Guesses() []string {
	var out []string
	for _, d := range imp.drafts() {
		if d.Skeleton != "" {
			out = append(out, probes.Clean(d.Name+": "+d.Skeleton+": the cluster is written as a comment: complete it", maxNote))
			continue
		}
		for _, r := range d.keyComments {
			if r.guessed {
				out = append(out, probes.Clean(d.Name+": "+r.key+": "+r.text, maxNote))
			}
		}
	}
	return out
}

// Notes returns what could not be read, was left out or did not answer, one per line.
func (imp *Import) Notes() []string { return slices.Concat(imp.noteList, imp.silent) }

// Clusters returns the names of the complete clusters, in the order of the file.
func (imp *Import) Clusters() []string {
	var names []string
	for _, d := range imp.drafts() {
		if d.Skeleton == "" {
			names = append(names, d.Name)
		}
	}
	return names
}

// Comments returns the comment lines before a key.
func (d draft) Comments(key string) string {
	indent := 4
	if strings.HasPrefix(key, "balancer.") {
		indent = 6
	}
	var out strings.Builder
	for _, r := range d.keyComments {
		if r.key != key {
			continue
		}
		mark := ""
		if r.guessed {
			mark = "GUESS: "
		}
		out.WriteString(comment(indent, mark, r.text))
	}
	return out.String()
}

// columns is the maximum width of comments.
const columns = 100

// comment formats a text as comment lines, each preceded by a line end.
func comment(indent int, mark, text string) string {
	head := "\n" + strings.Repeat(" ", indent) + "# "
	var out strings.Builder
	width := columns
	for word := range strings.FieldsSeq(mark + probes.Clean(text, maxNote)) {
		if width+1+len(word) > columns {
			out.WriteString(head)
			width = indent + 2
		} else {
			out.WriteByte(' ')
		}
		out.WriteString(word)
		width += 1 + len(word)
	}
	return out.String()
}

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

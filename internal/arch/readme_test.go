package arch

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
)

// read a file by its path from the top of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestReadmeHasEveryFinding keeps the README's table equal to the catalogue. In
// Chinese it has the same codes.
func TestReadmeHasEveryFinding(t *testing.T) {
	english, chinese := read(t, "README.md"), read(t, "README.zh-CN.md")
	for _, e := range checks.Catalogue {
		row := fmt.Sprintf("| `%s` | %s | %s | %s |\n", e.Code, e.Severity, e.Holds, e.Remedy)
		if !strings.Contains(english, row) {
			t.Errorf("README.md lacks the row\n%s", row)
		}
		if !strings.Contains(chinese, fmt.Sprintf("\n| `%s` | ", e.Code)) {
			t.Errorf("README.zh-CN.md lacks a row of %s", e.Code)
		}
	}
}

// A skeleton is what two READMEs have in common whatever their language: the
// levels of their headings, their code without its comments, and the code in
// their tables.
type skeleton struct {
	Levels []string
	Code   []string
	Rows   []string // of each row of a table, its code
}

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	heading = regexp.MustCompile(`(?m)^(#+) `)
	comment = regexp.MustCompile(`(?m)(^|\s+)# .*$`)
	row     = regexp.MustCompile(`(?m)^\|.*$`)
	code    = regexp.MustCompile("`[^`]*`")
)

func skeletonOf(page string) skeleton {
	var s skeleton
	for _, block := range fenced.FindAllString(page, -1) {
		s.Code = append(s.Code, comment.ReplaceAllString(block, ""))
	}
	page = fenced.ReplaceAllString(page, "")
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		s.Levels = append(s.Levels, m[1])
	}
	for _, line := range row.FindAllString(page, -1) {
		s.Rows = append(s.Rows, strings.Join(code.FindAllString(line, -1), " "))
	}
	return s
}

// TestReadmesAreAlike: who reads one of them misses nothing of the other.
func TestReadmesAreAlike(t *testing.T) {
	english, chinese := skeletonOf(read(t, "README.md")), skeletonOf(read(t, "README.zh-CN.md"))
	if len(english.Levels) < 10 || len(english.Code) < 10 || len(english.Rows) < 50 {
		t.Fatalf("got %+v of README.md, want a page", english)
	}
	if diff := cmp.Diff(english, chinese); diff != "" {
		t.Errorf("README.md and README.zh-CN.md (-/+):\n%s", diff)
	}
}

// TestLinks: what a page of ours points to is there, and so is the heading.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	pages, _ := filepath.Glob("../../internal/docs/*.md")
	for _, page := range append(pages, "../../README.md", "../../README.zh-CN.md", "../../ARCHITECTURE.md", "../../CONTRIBUTING.md", "../../CHANGELOG.md") {
		content := read(t, strings.TrimPrefix(page, "../../"))
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(content, ""), -1) {
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			text, err := os.ReadFile(target)
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if m[2] != "" && !strings.Contains(anchors(string(text)), "\n"+m[2]+"\n") {
				t.Errorf("%s: %s has no heading %s", page, target, m[2])
			}
		}
	}
}

// TestPictures: those of the READMEs are there, and none is too heavy to look at.
func TestPictures(t *testing.T) {
	const most = 300 << 10 // bytes of all of them
	size := int64(0)
	for _, page := range []string{"README.md", "README.zh-CN.md"} {
		for _, m := range regexp.MustCompile(`(?:src|srcset)="([^"]+)"`).FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	pictures, _ := filepath.Glob("../../internal/docs/images/*")
	for _, picture := range pictures {
		info, err := os.Stat(picture)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > most {
		t.Errorf("internal/docs/images has %d bytes, want %d at most", size, most)
	}
}

// anchors are the names of a page's headings, a line each, as GitHub makes them:
// in lower case, blanks as hyphens, without punctuation.
func anchors(page string) string {
	var b strings.Builder
	b.WriteString("\n")
	for line := range strings.Lines(fenced.ReplaceAllString(page, "")) {
		if _, title, ok := strings.Cut(line, "# "); ok && strings.HasPrefix(line, "#") {
			title = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			b.WriteString("#" + strings.ReplaceAll(title, " ", "-") + "\n")
		}
	}
	return b.String()
}

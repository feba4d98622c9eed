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
	"stickwatch/internal/must"
)

// read returns the contents of a file, by its path in the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", path))
	must.Succeed(t, err)
	return string(content)
}

// TestReadmeHasEveryFinding checks that the README's table equals the catalogue. The
// Chinese table must have the same codes.
func TestReadmeHasEveryFinding(t *testing.T) {
	english, chinese := read(t, "README.md"), read(t, "README.zh-CN.md")
	for _, e := range checks.Catalogue {
		row := fmt.Sprintf("| `%s` | %s | %s | %s |\n", e.Code, e.Severity, e.Condition, e.Remedy)
		if !strings.Contains(english, row) {
			t.Errorf("README.md lacks the row\n%s", row)
		}
		if !strings.Contains(chinese, fmt.Sprintf("\n| `%s` | ", e.Code)) {
			t.Errorf("README.zh-CN.md lacks a row of %s", e.Code)
		}
	}
}

// A skeleton is the part of a page that does not depend on the language: the levels
// of headings, the code without comments, and the code in tables.
type skeleton struct {
	Levels []string
	Code   []string
	Rows   []string // the code of each table row
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

// TestPagesAreAlike checks that pages have the same skeleton in both languages. The keys of
// the configuration have one page for both.
func TestPagesAreAlike(t *testing.T) {
	keys := regexp.MustCompile(`(?s)\n## Every key\n.*`)
	for page, want := range map[string]struct{ code, rows int }{
		"README": {10, 20}, "internal/docs/api": {3, 20}, "internal/docs/alerting": {9, 20}, "internal/docs/configuration": {1, 20}, "internal/docs/test-pages": {9, 0},
		"internal/docs/deploying": {6, 10},
	} {
		english := skeletonOf(keys.ReplaceAllString(read(t, page+".md"), ""))
		if len(english.Levels) < 5 || len(english.Code) < want.code || len(english.Rows) < want.rows {
			t.Fatalf("got %+v of %s, want a page", english, page)
		}
		if diff := cmp.Diff(english, skeletonOf(read(t, page+".zh-CN.md"))); diff != "" {
			t.Errorf("%s in English and Chinese (-/+):\n%s", page, diff)
		}
	}
}

// TestLinks checks that the target of every link exists, including the heading.
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

// TestPictures checks that the pictures of the READMEs exist and are small.
func TestPictures(t *testing.T) {
	const most = 300 << 10 // total size in bytes
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
		must.Succeed(t, err)
		size += info.Size()
	}
	if size > most {
		t.Errorf("internal/docs/images has %d bytes, want %d at most", size, most)
	}
}

// anchors returns the anchors of a page's headings, one per line, as GitHub generates
// them: lower case, hyphens for blanks, no punctuation.
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

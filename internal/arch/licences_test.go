package arch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"stickwatch/internal/must"

	"github.com/google/licensecheck"
)

// permissive are the licences whose code may be linked into a binary under Apache-2.0.
// MPL-2.0 applies to files, not to the work that contains them.
var permissive = map[string]bool{
	"Apache-2.0": true, "MIT": true, "MIT-0": true, "ISC": true, "BSD-2-Clause": true, "BSD-3-Clause": true,
	"MPL-2.0": true, "Unlicense": true, "CC0-1.0": true, "0BSD": true,
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([-.].*)?$`)

// TestLicences checks that every module linked into the binary has a compatible
// licence.
func TestLicences(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Module", module+"/cmd/stickwatch")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing what the binary is linked from: %v", err)
	}
	modules := make(map[string]string) // directory by path
	for dec := json.NewDecoder(bufio.NewReader(bytes.NewReader(out))); ; {
		var p struct{ Module *struct{ Path, Dir string } }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil {
			modules[p.Module.Path] = p.Module.Dir
		}
	}
	if len(modules) < 20 {
		t.Fatalf("got %d modules, want all that the binary is linked from", len(modules))
	}
	for path, dir := range modules {
		if path == module {
			dir = "../.."
		}
		if name := licenceOf(t, dir); !permissive[name] {
			t.Errorf("%s: got the licence %q, want a permissive one", path, name)
		}
	}
}

// licenceOf returns the SPDX name of the licence at the root of a module. It prefers a
// permissive one, since the user may choose. It returns "" if none is recognised.
func licenceOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	must.Succeed(t, err)
	name := ""
	for _, f := range files {
		if f.IsDir() || !licenceFile.MatchString(f.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		must.Succeed(t, err)
		for _, m := range licensecheck.Scan(text).Match {
			if !permissive[name] {
				name = m.ID
			}
		}
	}
	return name
}

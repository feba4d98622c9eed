package panics

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
)

// injected is called at the end of every function that runs here, in tests.
var injected atomic.Pointer[func(site string)]

// Inject has tests throw panics: until remove is called, f is called at the end
// of every function that Catch, Go, Keep, a Group and the like run, with the place
// in the source that had it run ("package/file.go:12"), and may panic.
func Inject(f func(site string)) (remove func()) {
	injected.Store(&f)
	return func() { injected.Store(nil) }
}

// site is where the caller of the exported function stands; "" outside of tests.
func site() string {
	if injected.Load() == nil {
		return ""
	}
	_, file, line, _ := runtime.Caller(2)
	return fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(file)), filepath.Base(file), line)
}

func run(f func(), at string) {
	if throw := injected.Load(); throw != nil {
		defer (*throw)(at)
	}
	f()
}

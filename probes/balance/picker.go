package balance

// A Picker tells which server an upstream block gives to a client. It never
// changes, and may be used by any number of goroutines.
type Picker interface {
	// Pick returns the index of the server line that gets key. The servers in
	// without are ejected: skipped, but still counted in the hash, as in nginx
	// after max_fails. When nobody can tell, ok is false and index is -1.
	Pick(key string, without ...int) (index int, ok bool)
}

const nobody = -1

// tries is how many servers nginx looks at before it stops hashing: its
// counter of refusals has to pass 20.
const tries = 21

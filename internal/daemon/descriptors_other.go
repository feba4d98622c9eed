//go:build !unix

package daemon

// webConnections is how many connections page and API may have.
func webConnections() int { return 512 }

//go:build !unix

package daemon

// webConnections returns the maximum number of connections to the page and the API.
func webConnections() int { return 512 }

// Package arch holds the rules of the layout, as tests of the import graph.
// See ARCHITECTURE.md for the picture they keep true.
package arch

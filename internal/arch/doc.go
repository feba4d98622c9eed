// Package arch tests the rules of ARCHITECTURE.md: the layout, the import graph and the
// documents.
package arch

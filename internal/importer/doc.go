// Package importer reads what a balancer's own configuration says of the clusters
// behind it, asks their nodes what they are, and writes a stickwatch.yml of both.
//
// Every product's file becomes the same small tree of directives, each with the
// place where it stands, and every product's reader makes the same upstreams of
// that tree. So what is judged, guessed and written has no product in it.
//
// No file tells everything: on which address users arrive, what the application
// is. What is missing is guessed, and every guess is told twice, as a comment
// where it stands in the file and to whoever ran the command. A guess that nobody
// hears of would be worse than a question.
package importer

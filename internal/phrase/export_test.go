package phrase

// Chinese has the translations, for tests in package phrase_test: they import packages that import phrase.
var Chinese = chinese

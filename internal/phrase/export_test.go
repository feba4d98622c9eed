package phrase

// Chinese has the translations, for tests outside of the package, whose imports use it.
var Chinese = chinese

package config

// ProfileNames lists the built-in profiles, the default first.
func ProfileNames() []string { return profileNames() }

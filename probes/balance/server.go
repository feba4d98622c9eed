package balance

// A Server is one server line of an upstream block. Its place in the block
// matters: hashing walks the lines in the order of the file.
type Server struct {
	// Name is the line's argument as written, such as "10.0.0.1:8080" or
	// "unix:/run/app.sock". The consistent hash is made of these letters: the
	// same address spelt otherwise moves clients.
	Name string

	// Weight is the line's share of the clients. Below 1 it means 1, which is
	// nginx's default.
	Weight int

	// Down servers get nobody, and keep their share of the hash so that the
	// clients of the others stay where they are.
	Down bool

	// Backup servers have no share of the hash. nginx refuses one after
	// `ip_hash` or `hash`, yet takes it where the server line comes first:
	// then it serves when no other server is left.
	Backup bool
}

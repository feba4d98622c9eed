package balance_test

import (
	"fmt"

	"stickwatch/probes/balance"
)

// The server of a client under nginx's ip_hash, and its server while that one is
// ejected.
func ExampleIPHash() {
	servers := []balance.Server{
		{Name: "10.0.0.1:8080", Weight: 1},
		{Name: "10.0.0.2:8080", Weight: 1},
		{Name: "10.0.0.3:8080", Weight: 1},
	}
	picker := balance.IPHash(servers)
	index, _ := picker.Pick("203.0.113.7")
	fmt.Println(servers[index].Name)
	next, _ := picker.Pick("203.0.113.7", index)
	fmt.Println(servers[next].Name)
	// Output:
	// 10.0.0.1:8080
	// 10.0.0.3:8080
}

// An address that ip_hash sends to a chosen server, for a canary of that server.
func ExampleClientFor() {
	picker := balance.IPHash([]balance.Server{{Name: "a", Weight: 1}, {Name: "b", Weight: 1}})
	client, _ := balance.ClientFor(picker, 1, 0)
	index, _ := picker.Pick(client.String())
	fmt.Println(client, "lands on server", index)
	// Output:
	// 198.18.3.4 lands on server 1
}

package wire

// A Fleet is what the instances of a fleet know of each other.
type Fleet struct {
	Instances []Instance `json:"instances"` // by name
	Leases    []Lease    `json:"leases"`    // by cluster
}

// An Instance is an instance of a fleet.
type Instance struct {
	Name     string    `json:"name"`
	Site     string    `json:"site"` // "": not told
	Version  string    `json:"version"`
	State    string    `json:"state"`    // alive, draining, impaired (it cannot probe) or gone
	Clusters int       `json:"clusters"` // that it watches
	Started  Timestamp `json:"started"`
	Seen     Timestamp `json:"seen"`     // when it was last heard of
	LagMS    int64     `json:"lag_ms"`   // how long ago that was
	AheadMS  int64     `json:"ahead_ms"` // of the clock of the database, by its clock; negative: behind
	Config   string    `json:"config"`   // identifies its configuration of clusters
}

// A Lease says who watches a cluster.
type Lease struct {
	Cluster  string    `json:"cluster"`
	Instance string    `json:"instance"` // "": nobody
	Epoch    int64     `json:"epoch"`    // grows with each owner
	Since    Timestamp `json:"since"`    // ""; it never had an owner
}

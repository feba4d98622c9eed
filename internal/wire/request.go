package wire

import "stickwatch/checks"

// A SilenceRequest creates a silence. Its scope is a cluster, a node or a code, or all.
type SilenceRequest struct {
	Cluster  string      `json:"cluster"`
	Node     string      `json:"node"`
	Code     checks.Code `json:"code"`          // "": all codes
	All      bool        `json:"all,omitempty"` // must be explicit; empty fields do not mean all
	Reason   string      `json:"reason"`
	Author   string      `json:"author"`   // "": the authenticated user
	From     string      `json:"from"`     // RFC 3339; "": now
	To       string      `json:"to"`       // RFC 3339; excludes duration
	Duration string      `json:"duration"` // since from: 30m, 2h, 7d
}

// An AcknowledgeRequest says who takes care of an incident.
type AcknowledgeRequest struct {
	Author   string `json:"author"`              // "": the authenticated user
	Note     string `json:"note"`                // "": none
	TakeOver bool   `json:"take_over,omitempty"` // replace the acknowledgement of somebody else, which is refused otherwise
}

// A NoteRequest adds a note to the timeline of an incident.
type NoteRequest struct {
	Author string `json:"author"` // "": the authenticated user
	Text   string `json:"text" jsonschema:"required"`
}

// A DeploymentRequest announces a deployment.
type DeploymentRequest struct {
	Cluster string   `json:"cluster" jsonschema:"required"`
	Name    string   `json:"name" jsonschema:"required"` // for example a version or a ticket
	Nodes   []string `json:"nodes,omitempty"`            // nodes that it changes; omitted: any
}

// A DeploymentEndRequest contains the counts of a client that watched a deployment. Without a
// body there are none.
type DeploymentEndRequest struct {
	Moved           int   `json:"sessions_moved"`
	Lost            int   `json:"sessions_lost"`
	LongestOutageMS int64 `json:"longest_outage_ms"`
}

// A TokenRequest creates a token.
type TokenRequest struct {
	Duration string `json:"duration" jsonschema:"required"` // validity: 30m, 12h, 7d
	Bearer   bool   `json:"bearer"`                         // for a program; false: a link for a browser
}

// A Token is a new token.
type Token struct {
	Token   string    `json:"token,omitempty"`
	Link    string    `json:"link,omitempty"` // valid for ten minutes
	Expires Timestamp `json:"expires"`        // of the token or of the link
}

// An Admin describes the daemon of an admin socket.
type Admin struct {
	Listen string `json:"listen"` // address of the public listener
}

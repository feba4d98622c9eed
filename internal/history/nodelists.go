package history

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// keptNodeLists is how long the list of a source that is asked no more is kept.
const keptNodeLists = 30 * 24 * time.Hour

// A NodeList is the last list of a cluster's source of nodes.
type NodeList struct {
	Cluster string       `json:"cluster"`
	Source  string       `json:"source"` // identifies the source with its settings
	At      time.Time    `json:"at"`     // of the answer
	Nodes   []ListedNode `json:"nodes"`
}

// A ListedNode is a node that a source lists.
type ListedNode struct {
	ID       string `json:"id"`
	URL      string `json:"url"`
	Host     string `json:"host,omitempty"`
	Server   string `json:"server,omitempty"`
	Protocol string `json:"protocol,omitempty"`
}

// PutNodeLists replaces the lists of clusters.
func (db *DB) PutNodeLists(ctx context.Context, lists []NodeList) error {
	err := db.engine.commit(ctx, false, func(tx *transaction) error {
		for _, list := range lists {
			body, err := json.Marshal(list)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, upsertNodeList, list.Cluster, list.At.UnixMilli(), string(body)); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, deleteNodeLists, db.config.Now().Add(-keptNodeLists).UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("storing the nodes of %d clusters: %w", len(lists), err)
	}
	return nil
}

// NodeLists returns the stored lists.
func (r *Reader) NodeLists(ctx context.Context) ([]NodeList, error) {
	lists, err := queryJSON[NodeList](ctx, r.pool, selectNodeLists)
	if err != nil {
		return nil, fmt.Errorf("reading the nodes of clusters: %w", err)
	}
	return lists, nil
}

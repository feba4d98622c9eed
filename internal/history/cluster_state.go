package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// This file has what is stored of a cluster for others: snapshots and canaries for the other instances of a
// fleet, and the nodes of its source for the next start.

// PutSnapshots stores the latest states of clusters, by name, for the other instances, and wakes
// them. It fails with FencedError if one of the clusters is not watched by this instance.
func (db *DB) PutSnapshots(ctx context.Context, bodies map[string][]byte) error {
	clusters := make(map[string]bool, len(bodies))
	for cluster := range bodies {
		clusters[cluster] = true
	}
	err := db.commitFenced(ctx, db.leases.fence(clusters), func(tx *transaction) error {
		for cluster, body := range bodies {
			if _, err := tx.ExecContext(ctx, upsertSnapshot, cluster, string(body)); err != nil {
				return err
			}
		}
		return notify(ctx, tx.Tx, Message{Kind: SnapshotsChanged})
	})
	if err != nil {
		return fmt.Errorf("storing the states of %d clusters: %w", len(bodies), err)
	}
	return nil
}

// A StoredSnapshot is the latest state of a cluster, as PutSnapshots stored it.
type StoredSnapshot struct {
	Cluster string
	At      time.Time
	Body    []byte
}

// StoredSnapshots returns the states of clusters that were stored at or after a time, by cluster. known
// has, by cluster, when the state that the caller already has was stored: that one is omitted.
func (r *Reader) StoredSnapshots(ctx context.Context, since time.Time, known map[string]time.Time) ([]StoredSnapshot, error) {
	var clusters []string
	var times []int64
	for cluster, at := range known {
		if !at.Before(since) {
			clusters, times = append(clusters, cluster), append(times, at.UnixMilli())
		}
	}
	all, err := queryAll(ctx, r.pool, func(rows *sql.Rows, s *StoredSnapshot) error {
		return rows.Scan(&s.Cluster, (*unixMilli)(&s.At), &s.Body)
	}, selectSnapshots, since.UnixMilli(), clusters, times)
	if err != nil {
		return nil, fmt.Errorf("reading the states of clusters: %w", err)
	}
	return all, nil
}

// StoredCanaries are the canaries of a cluster as an instance stored them, encrypted.
type StoredCanaries struct {
	Cluster string
	Epoch   int64         // of the lease of that instance
	Age     time.Duration // since they were stored
	Body    []byte        // nil: there are none, or they are larger than MaxCanaries
}

const (
	// MaxCanaries bounds the canaries of a cluster in bytes. A usual cluster needs a few KB.
	MaxCanaries = 1 << 20
	// canariesKept is how long the canaries of a cluster that nobody watches are kept.
	canariesKept = time.Hour
)

// PutCanaries stores the canaries of clusters for the instances that take them over; a nil Body deletes
// them. It fails with FencedError unless this instance has the leases, with these epochs.
func (db *DB) PutCanaries(ctx context.Context, all []StoredCanaries) error {
	fence := make(map[string]int64, len(all))
	var clusters, deleted []string
	var epochs []int64
	var bodies [][]byte
	for _, c := range all {
		fence[c.Cluster] = c.Epoch
		if c.Body == nil {
			deleted = append(deleted, c.Cluster)
			continue
		}
		clusters, epochs, bodies = append(clusters, c.Cluster), append(epochs, c.Epoch), append(bodies, c.Body)
	}
	err := db.commitFenced(ctx, fence, func(tx *transaction) error {
		if _, err := tx.ExecContext(ctx, deleteCanaries, deleted); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, upsertCanaries, clusters, epochs, bodies)
		return err
	})
	if err != nil {
		return fmt.Errorf("storing the canaries of %d clusters: %w", len(all), err)
	}
	return nil
}

// Canaries returns the stored canaries of clusters, by cluster.
func (r *Reader) Canaries(ctx context.Context, clusters []string) ([]StoredCanaries, error) {
	all, err := queryAll(ctx, r.pool, func(rows *sql.Rows, c *StoredCanaries) error {
		var age int64
		err := rows.Scan(&c.Cluster, &c.Epoch, &age, &c.Body)
		c.Age = time.Duration(age) * time.Millisecond
		return err
	}, selectCanaries, MaxCanaries, clusters)
	if err != nil {
		return nil, fmt.Errorf("reading canaries: %w", err)
	}
	return all, nil
}

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

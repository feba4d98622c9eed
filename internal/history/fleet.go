package history

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// This file stores the shared state of a fleet: instances, leases, and messages. It needs PostgreSQL. All times
// come from the clock of the database, which all instances share.

// The times of a fleet.
const (
	// LeaseTime is how long an instance keeps its clusters without a heartbeat.
	LeaseTime = 8 * time.Second
	// fleetTimeout bounds one transaction, so that a heartbeat can be retried within LeaseTime.
	fleetTimeout = 3 * time.Second
)

// An Instance is one of the daemons of a fleet.
type Instance struct {
	Name       string
	Site       string
	Version    string        // of stickwatch
	Digest     string        // of its configuration
	CanProbe   bool          // it can probe
	ClockAhead time.Duration // how far its wall clock is ahead of the clock of the database
	Draining   bool          // it gives its clusters away
	Started    time.Time
	Seen       time.Time // its last heartbeat
	Expires    time.Time // when others take over its clusters
}

// A Lease says who watches a cluster.
type Lease struct {
	Cluster string // "": the maintenance of the history
	Owner   string // "": nobody
	Epoch   int64  // grows with each takeover
	Since   time.Time
}

// A FleetState is a snapshot of a fleet.
type FleetState struct {
	Now       time.Time
	Started   time.Time  // of the database server
	Instances []Instance // by name
	Leases    []Lease    // by cluster
}

// Live reports whether the last heartbeat of an instance is younger than LeaseTime.
func (s FleetState) Live(name string) bool {
	for _, i := range s.Instances {
		if i.Name == name {
			return i.Expires.After(s.Now)
		}
	}
	return false
}

// A NameTakenError is the error of an instance whose name another running process has.
type NameTakenError struct{ Name string }

func (e *NameTakenError) Error() string {
	return fmt.Sprintf("another running instance of the fleet is named %q: name each differently (fleet.instance)", e.Name)
}

// A Fleet is this process as an instance of a fleet. Its connection is not the one that writes the
// history, so that heartbeats do not wait for batches.
type Fleet struct {
	pool *sql.DB
	path string // of the database, for pgx
	name string
	run  string // identifies this process
}

// NewFleet returns this process as an instance of the fleet of a history. The first Beat registers it.
func (db *DB) NewFleet() (*Fleet, error) {
	database, err := parseDatabase(db.config.Path)
	if err != nil {
		return nil, err
	}
	return &Fleet{pool: database.openFleet(), path: db.config.Path, name: db.leases.instance, run: rand.Text()}, nil
}

// Close closes the connection. It does not leave the fleet.
func (f *Fleet) Close() error { return f.pool.Close() }

// Beat records a heartbeat of this process, and returns the state of the fleet. It returns a NameTakenError while
// another process with this name is alive, or after one has replaced this process.
func (f *Fleet) Beat(ctx context.Context, self Instance) (state FleetState, err error) {
	err = f.do(ctx, func(tx *sql.Tx) error {
		var isNew bool
		err := tx.QueryRowContext(ctx, upsertInstance, f.name, f.run, self.Site, self.Version, self.Digest, self.CanProbe, self.ClockAhead.Milliseconds(), LeaseTime.Milliseconds()).Scan(&isNew)
		if noRows(err) {
			return &NameTakenError{f.name}
		}
		if err != nil {
			return err
		}
		if isNew { // release the leases and claims of an earlier process with this name
			if _, err := tx.ExecContext(ctx, freeLeases, f.name); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, freeOwnClaims, inFlightGrace.Milliseconds(), inFlightGrace.Milliseconds(), f.name); err != nil {
				return err
			}
		}
		state, err = readFleet(ctx, tx)
		return err
	})
	return state, err
}

// Take takes over clusters of which no live instance is the owner, all of them or none, and returns
// their new epochs. ok is false if another instance owns one of them or still has its lease locked.
func (f *Fleet) Take(ctx context.Context, clusters []string) (epochs map[string]int64, ok bool, err error) {
	err = f.do(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, insertLeases, clusters); err != nil {
			return err
		}
		epochs, err = queryMap[int64](ctx, tx, takeLeases, clusters, f.name)
		if err == nil && len(epochs) < len(clusters) {
			return errNotAll
		}
		return err
	})
	if errors.Is(err, errNotAll) {
		return nil, false, nil
	}
	return epochs, err == nil, err
}

// errNotAll rolls back a takeover that would get only some of the clusters.
var errNotAll = errors.New("not all clusters are free")

// Release gives clusters away, and wakes the other instances.
func (f *Fleet) Release(ctx context.Context, clusters []string) error {
	return f.do(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, releaseLeases, f.name, clusters); err != nil {
			return err
		}
		return notify(ctx, tx, Message{Kind: LeasesChanged})
	})
}

// Leave gives all clusters away and leaves the fleet.
func (f *Fleet) Leave(ctx context.Context) error {
	return f.do(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, deleteInstance, f.name, f.run)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err // another process has replaced this one
		}
		if _, err := tx.ExecContext(ctx, freeLeases, f.name); err != nil {
			return err
		}
		return notify(ctx, tx, Message{Kind: LeasesChanged})
	})
}

// FreeClaims shortens the claims on notifications of instances that are not alive, so that other
// instances send these without waiting until the claims end.
func (f *Fleet) FreeClaims(ctx context.Context) error {
	return f.do(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, freeDeadClaims, inFlightGrace.Milliseconds(), inFlightGrace.Milliseconds())
		return err
	})
}

// do runs work in a transaction.
func (f *Fleet) do(ctx context.Context, work func(*sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, fleetTimeout)
	defer cancel()
	tx, err := f.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	err = finish(tx, func() error { return work(tx) })
	if cause := ctx.Err(); err != nil && cause != nil {
		return fmt.Errorf("waiting for the database: %w", cause) // err only says that the transaction was ended
	}
	return err
}

// Fleet returns the state of the fleet.
func (r *Reader) Fleet(ctx context.Context) (state FleetState, err error) {
	err = r.inSnapshot(ctx, func(tx *sql.Tx) error {
		state, err = readFleet(ctx, tx)
		return err
	})
	if err != nil {
		return state, fmt.Errorf("reading the fleet: %w", err)
	}
	return state, nil
}

func readFleet(ctx context.Context, tx *sql.Tx) (state FleetState, err error) {
	var now, started int64
	if err := tx.QueryRowContext(ctx, selectClock).Scan(&now, &started); err != nil {
		return state, err
	}
	state.Now, state.Started = timeOf(now), timeOf(started)
	state.Instances, err = queryAll(ctx, tx, func(rows *sql.Rows, i *Instance) error {
		var ahead int64
		err := rows.Scan(&i.Name, &i.Site, &i.Version, &i.Digest, &i.CanProbe, &i.Draining, &ahead,
			(*unixMilli)(&i.Started), (*unixMilli)(&i.Seen), (*unixMilli)(&i.Expires))
		i.ClockAhead = time.Duration(ahead) * time.Millisecond
		return err
	}, selectInstances)
	if err != nil {
		return state, err
	}
	state.Leases, err = queryAll(ctx, tx, func(rows *sql.Rows, l *Lease) error {
		return rows.Scan(&l.Cluster, &l.Owner, &l.Epoch, (*unixMilli)(&l.Since))
	}, selectLeases)
	return state, err
}

// SetDraining makes an instance release its clusters and take none, or ends that. It returns ErrNotFound if no
// instance has the name.
func SetDraining(ctx context.Context, path, name string, draining bool) error {
	database, err := parseDatabase(path)
	if err != nil {
		return err
	}
	pool := database.openFleet()
	defer pool.Close()
	return (&Fleet{pool: pool}).do(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, drainInstance, draining, name)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return ErrNotFound
		}
		return notify(ctx, tx, Message{Kind: LeasesChanged})
	})
}

// A MessageKind is the kind of a message between instances.
type MessageKind string

// The kinds of messages.
const (
	LeasesChanged      MessageKind = "leases"
	SnapshotsChanged   MessageKind = "snapshots"
	SilencesChanged    MessageKind = "silences"
	DeploymentsChanged MessageKind = "deployments"
	Reloaded           MessageKind = "reloaded" // the configuration
)

// A Message makes other instances read the database at once. It may be lost, because they also poll.
type Message struct {
	Kind MessageKind `json:"kind"`
	From string      `json:"from"` // identifies the process that sent it; see Fleet.run
}

// Send sends a message to the other instances.
func (f *Fleet) Send(ctx context.Context, m Message) error {
	m.From = f.run
	return f.do(ctx, func(tx *sql.Tx) error { return notify(ctx, tx, m) })
}

// Listen calls yield for each message of another instance until ctx ends or the connection is lost.
func (f *Fleet) Listen(ctx context.Context, yield func(Message)) error {
	database, err := parseDatabase(f.path)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, database.config.Copy())
	if err != nil {
		return explain(database.name, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var schema string
	if err := conn.QueryRow(ctx, `SELECT current_schema()`).Scan(&schema); err != nil {
		return explain(database.name, err)
	}
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return explain(database.name, err)
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return explain(database.name, err)
		}
		var m struct {
			Message
			Schema string `json:"schema"`
		}
		if decode([]byte(n.Payload), &m) == nil && m.Schema == schema && m.From != f.run {
			yield(m.Message)
		}
	}
}

// channel is the channel of the messages of all fleets in a database.
const channel = "stickwatch"

func notify(ctx context.Context, tx *sql.Tx, m Message) error {
	_, err := tx.ExecContext(ctx, sendMessage, channel, string(m.Kind), m.From)
	return err
}

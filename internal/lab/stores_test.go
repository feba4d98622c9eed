package lab

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/go-sql-driver/mysql"
	redisclient "github.com/redis/go-redis/v9"

	"stickwatch/internal/demo"
	"stickwatch/internal/must"
)

// Session stores of real applications.

// A redisStore keeps sessions in Redis, as e-Bridge's second way of persistence and
// Huozige do.
type redisStore struct{ client *redisclient.Client }

func newRedisStore(tb testing.TB, redis *Dependency) *redisStore {
	tb.Helper()
	options, err := redisclient.ParseURL(redis.URL())
	must.Succeed(tb, err)
	options.MaxRetries = -1
	client := redisclient.NewClient(options)
	tb.Cleanup(func() { client.Close() })
	return &redisStore{client}
}

func (s *redisStore) Get(ctx context.Context, id string) (demo.Session, bool, error) {
	data, err := s.client.Get(ctx, "session:"+id).Bytes()
	if errors.Is(err, redisclient.Nil) {
		return nil, false, nil
	}
	return decodeSession(data, err)
}

func (s *redisStore) Put(ctx context.Context, id string, session demo.Session) error {
	data, err := json.Marshal(session)
	if err != nil {
		return err
	}
	return s.client.Set(ctx, "session:"+id, data, time.Hour).Err()
}

// A mariadbStore keeps sessions in a table, as e-Bridge recommends.
type mariadbStore struct{ db *sql.DB }

func newMariaDBStore(tb testing.TB, mariadb *Dependency) *mariadbStore {
	tb.Helper()
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr, config.DBName = User, Password, "tcp", mariadb.Addr(), User
	connector, err := mysql.NewConnector(config)
	must.Succeed(tb, err)
	db := sql.OpenDB(connector)
	tb.Cleanup(func() { db.Close() })
	if _, err := db.ExecContext(tb.Context(), "CREATE TABLE session (id VARCHAR(64) PRIMARY KEY, data TEXT NOT NULL)"); err != nil {
		tb.Fatal(err)
	}
	return &mariadbStore{db}
}

func (s *mariadbStore) Get(ctx context.Context, id string) (demo.Session, bool, error) {
	var data []byte
	err := s.db.QueryRowContext(ctx, "SELECT data FROM session WHERE id = ?", id).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return decodeSession(data, err)
}

func (s *mariadbStore) Put(ctx context.Context, id string, session demo.Session) error {
	data, err := json.Marshal(session)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, "REPLACE INTO session (id, data) VALUES (?, ?)", id, data)
	return err
}

// An msmStore models memcached-session-manager without sticky sessions: it writes each
// session to every memcached and reads it from the first that has it.
type msmStore struct {
	names []string // n1, n2
	nodes map[string]*memcache.Client
}

func newMSMStore(stores ...*Dependency) *msmStore {
	s := &msmStore{nodes: make(map[string]*memcache.Client)}
	for i, store := range stores {
		name := fmt.Sprintf("n%d", i+1)
		client := memcache.New(store.Addr())
		client.Timeout = time.Second
		s.names = append(s.names, name)
		s.nodes[name] = client
	}
	return s
}

// primary returns the memcached that currently has the sessions.
func (s *msmStore) primary(context.Context) string {
	for _, name := range s.names {
		if s.nodes[name].Ping() == nil {
			return name
		}
	}
	return s.names[0]
}

func (s *msmStore) Get(_ context.Context, id string) (demo.Session, bool, error) {
	var failed error
	for _, name := range s.names {
		item, err := s.nodes[name].Get(id)
		switch {
		case err == nil:
			return decodeSession(item.Value, nil)
		case !errors.Is(err, memcache.ErrCacheMiss):
			failed = err
		}
	}
	if failed != nil && !s.anyUp() {
		return nil, false, failed
	}
	return nil, false, nil
}

func (s *msmStore) Put(_ context.Context, id string, session demo.Session) error {
	data, err := json.Marshal(session)
	if err != nil {
		return err
	}
	stored := 0
	for _, name := range s.names {
		if err = s.nodes[name].Set(&memcache.Item{Key: id, Value: data, Expiration: 3600}); err == nil {
			stored++
		}
	}
	if stored > 0 {
		return nil
	}
	return err
}

func (s *msmStore) anyUp() bool {
	for _, client := range s.nodes {
		if client.Ping() == nil {
			return true
		}
	}
	return false
}

func decodeSession(data []byte, err error) (demo.Session, bool, error) {
	if err != nil {
		return nil, false, err
	}
	var session demo.Session
	if err := json.Unmarshal(data, &session); err != nil {
		return nil, false, err
	}
	return session, true, nil
}

-- +goose Up

-- The last list of each source of nodes (nodes_from). at is in milliseconds since 1970 UTC.
CREATE TABLE node_lists (
    cluster TEXT PRIMARY KEY,
    at      INTEGER NOT NULL,
    body    TEXT NOT NULL
);

-- +goose Up

-- The last list of each source of nodes (nodes_from). at is in milliseconds since 1970 UTC.
CREATE TABLE node_lists (
    cluster TEXT COLLATE "C" PRIMARY KEY,
    at      BIGINT NOT NULL,
    body    TEXT NOT NULL
);

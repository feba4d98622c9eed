-- +goose Up

-- The canaries of each cluster with their sessions, encrypted with fleet.key_file, for the instance
-- that takes the cluster over. The epoch is that of the lease of the instance that wrote them.
CREATE TABLE canaries (
    cluster TEXT COLLATE "C" PRIMARY KEY,
    epoch   BIGINT NOT NULL,
    at      BIGINT NOT NULL, -- by the clock of the database
    body    BYTEA NOT NULL
);

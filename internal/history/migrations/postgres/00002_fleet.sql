-- +goose Up

-- Several instances share a history. Times are those of the database.

CREATE TABLE instances (
    name     TEXT COLLATE "C" PRIMARY KEY,
    run      TEXT COLLATE "C" NOT NULL, -- of the process
    site     TEXT NOT NULL,
    version  TEXT NOT NULL,
    digest   TEXT NOT NULL,             -- of the configuration
    started  BIGINT NOT NULL,
    seen     BIGINT NOT NULL,           -- when it was last heard of
    expires  BIGINT NOT NULL,           -- when others take over its clusters
    able     BOOLEAN NOT NULL,          -- it can probe
    draining BOOLEAN NOT NULL DEFAULT FALSE
);

-- A lease says who watches a cluster; the cluster '' is the maintenance of the history. The epoch
-- grows with each owner, and a write with another epoch is refused.
CREATE TABLE leases (
    cluster TEXT COLLATE "C" PRIMARY KEY,
    owner   TEXT COLLATE "C" NOT NULL,  -- '': free
    epoch   BIGINT NOT NULL,
    since   BIGINT NOT NULL
);

-- The latest state of each cluster, for the pages of the other instances.
CREATE TABLE snapshots (
    cluster TEXT COLLATE "C" PRIMARY KEY,
    at      BIGINT NOT NULL,
    body    TEXT NOT NULL
);

ALTER TABLE notices ADD COLUMN claimer TEXT COLLATE "C" NOT NULL DEFAULT ''; -- the instance that sends it

-- +goose Up

-- Where canaries were served: see checks.Placement. Times are milliseconds since 1970 UTC.
CREATE TABLE placements (
    cluster  TEXT NOT NULL,
    balancer TEXT NOT NULL,
    owner    TEXT NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    node     TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    PRIMARY KEY (cluster, balancer, owner, since)
);
CREATE INDEX placements_by_time ON placements (cluster, until);

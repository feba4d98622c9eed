-- +goose Up

-- When the last session was lost that is counted: an instance that takes over a cluster with sites
-- counts only later ones. NULL: none was lost, or an older version counted them.
ALTER TABLE deployments ADD COLUMN last_lost BIGINT;

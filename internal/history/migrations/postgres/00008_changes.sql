-- +goose Up

-- A page shows the changes of one cluster over up to 90 days, and would read those of all.
CREATE INDEX changes_of_cluster ON changes (cluster, at);

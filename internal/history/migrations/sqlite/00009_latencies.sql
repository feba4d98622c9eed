-- +goose Up

-- How the latencies of the answered probes are distributed: see sketch.go. NULL: from before.
ALTER TABLE hours ADD COLUMN latencies BLOB;
ALTER TABLE days ADD COLUMN latencies BLOB;

-- A page counts the moves of one cluster over 90 days, and would read those of all.
CREATE INDEX moves_of_cluster ON moves (cluster, at);

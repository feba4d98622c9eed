-- +goose Up

-- nodes: announced, a JSON list. touched: seen to be worked on, likewise. lost:
-- sessions of canaries. watched: what a client that watched it counted, as JSON.
-- summed: when it was summed up; NULL: it goes on, or its grace has not passed.
ALTER TABLE deployments ADD COLUMN nodes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE deployments ADD COLUMN touched TEXT NOT NULL DEFAULT '[]';
ALTER TABLE deployments ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deployments ADD COLUMN watched TEXT;
ALTER TABLE deployments ADD COLUMN summed INTEGER;
UPDATE deployments SET summed = ended WHERE ended IS NOT NULL;
CREATE INDEX deployments_open ON deployments (id) WHERE summed IS NULL;

-- Until now a deployment silenced its whole cluster.
DELETE FROM silences WHERE id LIKE 'deployment-%';

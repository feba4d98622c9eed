-- +goose Up

-- The session of the server that an instance sends its heartbeats through. When it has ended, the
-- process of the instance has lost its connection or its life.
ALTER TABLE instances ADD COLUMN session TEXT COLLATE "C" NOT NULL DEFAULT '';

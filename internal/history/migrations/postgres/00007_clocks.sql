-- +goose Up

-- How far the wall clocks of the instances are ahead of that of the database, in milliseconds.

ALTER TABLE instances ADD COLUMN ahead BIGINT NOT NULL DEFAULT 0;

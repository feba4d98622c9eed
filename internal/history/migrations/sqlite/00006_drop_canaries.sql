-- +goose Up

-- Canaries do not survive a restart, and nothing read this table except a log message.
DROP TABLE canaries;

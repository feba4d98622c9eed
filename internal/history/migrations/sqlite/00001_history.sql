-- +goose Up

-- What is probed. For each level of detail: sums exist before *_until, and what
-- is more detailed is kept since *_since. Milliseconds since 1970 UTC.
CREATE TABLE targets (
    id            INTEGER PRIMARY KEY,
    cluster       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    samples_since INTEGER NOT NULL,
    minutes_since INTEGER NOT NULL,
    hours_since   INTEGER NOT NULL,
    days_since    INTEGER NOT NULL,
    minutes_until INTEGER NOT NULL,
    hours_until   INTEGER NOT NULL,
    days_until    INTEGER NOT NULL,
    UNIQUE (cluster, kind, name)
);

-- ts: milliseconds since 1970. latency: microseconds. outcome: see bucket.go.
CREATE TABLE samples (
    target  INTEGER NOT NULL,
    ts      INTEGER NOT NULL,
    latency INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    PRIMARY KEY (target, ts)
) WITHOUT ROWID;

-- ts: the number of the minute, hour or day since 1970. The rest: see bucket.go.
-- A bucket in which nothing failed spends no byte on outages.
CREATE TABLE minutes (
    target     INTEGER NOT NULL,
    ts         INTEGER NOT NULL,
    probes     INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    unanswered INTEGER NOT NULL,
    latency    INTEGER NOT NULL,
    slowest    INTEGER NOT NULL,
    recovered  INTEGER,
    longest    INTEGER NOT NULL,
    broken     INTEGER,
    last       INTEGER,
    PRIMARY KEY (target, ts)
) WITHOUT ROWID;

CREATE TABLE hours (
    target     INTEGER NOT NULL,
    ts         INTEGER NOT NULL,
    probes     INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    unanswered INTEGER NOT NULL,
    latency    INTEGER NOT NULL,
    slowest    INTEGER NOT NULL,
    recovered  INTEGER,
    longest    INTEGER NOT NULL,
    broken     INTEGER,
    last       INTEGER,
    PRIMARY KEY (target, ts)
) WITHOUT ROWID;

CREATE TABLE days (
    target     INTEGER NOT NULL,
    ts         INTEGER NOT NULL,
    probes     INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    unanswered INTEGER NOT NULL,
    latency    INTEGER NOT NULL,
    slowest    INTEGER NOT NULL,
    recovered  INTEGER,
    longest    INTEGER NOT NULL,
    broken     INTEGER,
    last       INTEGER,
    PRIMARY KEY (target, ts)
) WITHOUT ROWID;

CREATE TABLE moves (
    id      INTEGER PRIMARY KEY,
    cluster TEXT NOT NULL,
    at      INTEGER NOT NULL,
    origin  TEXT NOT NULL,
    dest    TEXT NOT NULL,
    kept    INTEGER NOT NULL,
    session TEXT NOT NULL,
    cause   TEXT NOT NULL
);
CREATE INDEX moves_by_time ON moves (at);

-- body: the finding's change as JSON.
CREATE TABLE changes (
    id      INTEGER PRIMARY KEY,
    cluster TEXT NOT NULL,
    at      INTEGER NOT NULL,
    body    TEXT NOT NULL
);
CREATE INDEX changes_by_time ON changes (at);

CREATE TABLE deployments (
    id      INTEGER PRIMARY KEY,
    cluster TEXT NOT NULL,
    name    TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended   INTEGER
);
CREATE INDEX deployments_by_time ON deployments (started);

-- body: the incident with its timeline as JSON; the other columns find it.
CREATE TABLE incidents (
    id      TEXT PRIMARY KEY,
    cluster TEXT NOT NULL,
    state   TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended   INTEGER,
    body    TEXT NOT NULL
);
CREATE INDEX incidents_by_time ON incidents (started);
CREATE INDEX incidents_open ON incidents (started) WHERE state <> 'resolved';

-- The outbox. state: pending, delivered or dead. body: the notice as JSON,
-- emptied when it is delivered; the id stays, so that nothing is sent again.
CREATE TABLE notices (
    seq      INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    receiver TEXT NOT NULL,
    incident TEXT NOT NULL,
    state    TEXT NOT NULL,
    at       INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    leased   INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    body     TEXT NOT NULL
);
CREATE INDEX notices_by_state ON notices (state, receiver, seq);
CREATE INDEX notices_of_incident ON notices (receiver, incident, seq);

-- Where a receiver keeps an incident.
CREATE TABLE threads (
    receiver TEXT NOT NULL,
    incident TEXT NOT NULL,
    thread   TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (receiver, incident)
);

CREATE TABLE silences (
    id       TEXT PRIMARY KEY,
    starts   INTEGER NOT NULL,
    ends     INTEGER NOT NULL,
    body     TEXT NOT NULL
);
CREATE INDEX silences_by_end ON silences (ends);

-- Saved state by cluster: active findings and canaries, as JSON.
CREATE TABLE standing (cluster TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE canaries (cluster TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE counters (name TEXT PRIMARY KEY, value REAL NOT NULL);

-- +goose Up

-- The tables of the migrations for SQLite, where their columns are explained. What differs:
-- samples and minutes are partitioned by time, so that old ones are deleted with their partition;
-- texts are ordered by bytes, as in SQLite; columns are in the order that needs no padding.

CREATE TABLE targets (
    id            INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster       TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    samples_since BIGINT NOT NULL,
    minutes_since BIGINT NOT NULL,
    hours_since   BIGINT NOT NULL,
    days_since    BIGINT NOT NULL,
    minutes_until BIGINT NOT NULL,
    hours_until   BIGINT NOT NULL,
    days_until    BIGINT NOT NULL,
    UNIQUE (cluster, kind, name)
);

CREATE TABLE samples (
    target  INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    ts      BIGINT NOT NULL,
    latency BIGINT NOT NULL,
    PRIMARY KEY (target, ts)
) PARTITION BY RANGE (ts);

CREATE TABLE minutes (
    target     INTEGER NOT NULL,
    ts         BIGINT NOT NULL,
    latency    BIGINT NOT NULL,
    slowest    BIGINT NOT NULL,
    probes     INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    unanswered INTEGER NOT NULL,
    longest    INTEGER NOT NULL,
    recovered  INTEGER,
    broken     INTEGER,
    last       INTEGER,
    PRIMARY KEY (target, ts)
) PARTITION BY RANGE (ts);

CREATE TABLE hours (LIKE minutes, PRIMARY KEY (target, ts));
CREATE TABLE days (LIKE minutes, PRIMARY KEY (target, ts));

CREATE TABLE moves (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    origin  TEXT NOT NULL,
    dest    TEXT NOT NULL,
    kept    INTEGER NOT NULL,
    session TEXT COLLATE "C" NOT NULL,
    cause   TEXT NOT NULL,
    message TEXT
);
CREATE INDEX moves_by_time ON moves (at);

CREATE TABLE changes (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    body    TEXT NOT NULL
);
CREATE INDEX changes_by_time ON changes (at);

CREATE TABLE placements (
    cluster  TEXT COLLATE "C" NOT NULL,
    balancer TEXT COLLATE "C" NOT NULL,
    owner    TEXT COLLATE "C" NOT NULL,
    since    BIGINT NOT NULL,
    until    BIGINT NOT NULL,
    node     TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    PRIMARY KEY (cluster, balancer, owner, since)
);
CREATE INDEX placements_by_time ON placements (cluster, until);

CREATE TABLE deployments (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster TEXT COLLATE "C" NOT NULL,
    name    TEXT NOT NULL,
    started BIGINT NOT NULL,
    ended   BIGINT,
    nodes   TEXT NOT NULL DEFAULT '[]',
    touched TEXT NOT NULL DEFAULT '[]',
    lost    INTEGER NOT NULL DEFAULT 0,
    watched TEXT,
    summed  BIGINT
);
CREATE INDEX deployments_by_time ON deployments (started);
CREATE INDEX deployments_open ON deployments (id) WHERE summed IS NULL;

CREATE TABLE incidents (
    id      TEXT COLLATE "C" PRIMARY KEY,
    cluster TEXT COLLATE "C" NOT NULL,
    state   TEXT COLLATE "C" NOT NULL,
    started BIGINT NOT NULL,
    ended   BIGINT,
    fired   BIGINT,
    body    TEXT NOT NULL
);
CREATE INDEX incidents_by_time ON incidents (started);
CREATE INDEX incidents_open ON incidents (started) WHERE state <> 'resolved';
CREATE INDEX incidents_untold ON incidents (ended) WHERE fired IS NULL;

CREATE TABLE incident_clusters (
    incident TEXT COLLATE "C" NOT NULL REFERENCES incidents ON DELETE CASCADE,
    cluster  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (incident, cluster)
);
CREATE INDEX incidents_of_cluster ON incident_clusters (cluster, incident);

CREATE TABLE notices (
    seq      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       TEXT COLLATE "C" NOT NULL UNIQUE,
    receiver TEXT COLLATE "C" NOT NULL,
    incident TEXT COLLATE "C" NOT NULL,
    state    TEXT COLLATE "C" NOT NULL,
    at       BIGINT NOT NULL,
    due      BIGINT NOT NULL,
    leased   BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    body     TEXT NOT NULL
);
CREATE INDEX notices_of_incident ON notices (receiver, incident, seq);
CREATE INDEX notices_waiting ON notices (receiver, due, seq) WHERE state = 'pending';
CREATE INDEX notices_dead ON notices (seq) WHERE state = 'dead';

CREATE TABLE threads (
    receiver TEXT COLLATE "C" NOT NULL,
    incident TEXT COLLATE "C" NOT NULL,
    thread   TEXT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (receiver, incident)
);

CREATE TABLE silences (
    id       TEXT COLLATE "C" PRIMARY KEY,
    starts   BIGINT NOT NULL,
    ends     BIGINT NOT NULL,
    body     TEXT NOT NULL
);
CREATE INDEX silences_by_end ON silences (ends);

CREATE TABLE standing (cluster TEXT COLLATE "C" PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE counters (name TEXT COLLATE "C" PRIMARY KEY, value DOUBLE PRECISION NOT NULL);

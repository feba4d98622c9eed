-- +goose Up

-- When it had held long enough to be told; NULL: it has not.
ALTER TABLE incidents ADD COLUMN fired INTEGER;
UPDATE incidents SET fired = unixepoch(json_extract(body, '$.Fired')) * 1000
    WHERE json_extract(body, '$.Fired') NOT LIKE '0001-%';
CREATE INDEX incidents_untold ON incidents (ended) WHERE fired IS NULL;

-- A notice may be skipped, too: the end of its incident was told in its place.
--
-- While a receiver is down, thousands of notices wait, most of them for later:
-- what is due is found without looking at those that are not.
DROP INDEX notices_by_state;
CREATE INDEX notices_waiting ON notices (receiver, due, seq) WHERE state = 'pending';
CREATE INDEX notices_dead ON notices (seq) WHERE state = 'dead';

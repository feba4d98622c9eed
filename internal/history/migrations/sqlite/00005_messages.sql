-- +goose Up

-- From now on the sentences of a finding are kept as messages: the id of a sentence
-- and its arguments, beside the English text. Rows from before have the text alone,
-- which is read as it is; programs from before cannot read messages.
ALTER TABLE moves ADD COLUMN message TEXT; -- the cause as JSON; NULL: from before

-- name: keep_merge
-- A number stands for another from this message on.
INSERT INTO merges (message, number, kind, event, prior_system, prior, system, survivor, prior_lane, lane)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: undo_merges
-- What a message merged is taken back from another message on.
UPDATE merges SET undone = ? WHERE message = ? AND undone IS NULL;

-- name: merges
-- All merges, in the order of receipt.
SELECT message, kind, event, prior_system, prior, system, survivor, prior_lane, lane, undone FROM merges ORDER BY message, number;

-- name: last_span
-- The newest span whose keys are written, -1 if none is.
SELECT coalesce(max(id), -1) FROM spans;

-- name: unwritten_messages
-- What the keys of the messages from an id on are made of.
SELECT m.id, m.channel, m.received, m.duplicate_key, m.control_id, coalesce(o.status, 'received'), o.type, o.patients, o.orders
FROM messages AS m LEFT JOIN outcomes AS o ON o.id = m.id
WHERE m.id >= ? ORDER BY m.id;

-- name: insert_key
-- What a message is found by.
INSERT OR IGNORE INTO message_keys (span, hash, message) VALUES (?, ?, ?);

-- name: write_span
-- A span's keys are written; when its messages were received.
INSERT INTO spans (id, earliest, latest) VALUES (?, ?, ?);

-- name: keep_duplicate
-- A key that a resend of this message would bring again.
INSERT INTO duplicates (id, message) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET message = excluded.message;

-- name: duplicate
-- The message that brought a key.
SELECT id, message FROM duplicates WHERE id = ?;

-- name: duplicate_periods
-- One id of each period that has keys.
WITH RECURSIVE period (id) AS (
    SELECT min(id) FROM duplicates
    UNION ALL
    SELECT (SELECT min(id) FROM duplicates WHERE id >= ((period.id >> 57) + 1) << 57) FROM period WHERE period.id < 63 << 57
)
SELECT id FROM period WHERE id IS NOT NULL;

-- name: drop_duplicates
-- Some keys of a period that is over.
DELETE FROM duplicates WHERE id IN (SELECT id FROM duplicates WHERE id BETWEEN ? AND ? LIMIT 4096);

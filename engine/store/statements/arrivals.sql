-- name: find_duplicates
-- The first message with a key, received since a time: in this period or the one before.
SELECT key, message, received FROM duplicates
WHERE key = ?1 AND period IN (?2, ?2 - 1) AND received >= ?3
ORDER BY received LIMIT 1;

-- name: keep_duplicate_key
-- A key that a resend of this message would bring again.  A key of this period that has run out of its window begins anew.
INSERT INTO duplicates (period, key, message, received) VALUES (?, ?, ?, ?)
ON CONFLICT (period, key) DO UPDATE SET message = excluded.message, received = excluded.received;

-- name: drop_old_duplicates
-- Keys older than the window.
DELETE FROM duplicates WHERE period < ?;

-- name: insert_message
-- A message the engine has taken charge of.
INSERT INTO messages (id, channel, version, received, status, peer, control_id, replay_of, destinations, force)
VALUES (?, ?, ?, ?, 'received', ?, ?, ?, ?, ?);

-- name: insert_content
-- Its bytes.
INSERT INTO contents (id, content, cuts) VALUES (?, ?, ?);

-- name: insert_key
-- What a message is found by.
INSERT OR IGNORE INTO message_keys (span, hash, message) VALUES (?, ?, ?);

-- name: stretch_span
-- The times that the messages of a span were received at.
INSERT INTO spans (id, earliest, latest) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET earliest = min(earliest, excluded.earliest), latest = max(latest, excluded.latest);

-- name: keep_attachment
-- A run cut out of a content, once.
INSERT INTO attachments (digest, size, content) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING;

-- name: use_attachment
-- Which message needs it.
INSERT OR IGNORE INTO attachment_uses (message, digest) VALUES (?, ?);

-- name: last_message
-- The highest id given out.
SELECT coalesce(max(id), 0) FROM messages;

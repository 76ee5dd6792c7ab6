-- name: last_message
-- The highest id given out.
SELECT coalesce(max(id), 0) FROM messages;

-- name: insert_message
-- A message the engine has taken charge of.
INSERT INTO messages (id, channel, version, received, peer, control_id, duplicate_key, replay_of, destinations, force, content, cuts, about)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: enter_backlog
-- A message waits to be settled.
INSERT OR IGNORE INTO backlog (channel, message) VALUES (?, ?);

-- name: leave_backlog
-- It is settled.
DELETE FROM backlog WHERE channel = ? AND message = ?;

-- name: same_key
-- Whether a message of a channel has a duplicate key, and was received since a time.
SELECT 1 FROM messages WHERE id = ? AND channel = ? AND duplicate_key = ? AND received >= ?;

-- name: keep_attachment
-- A run cut out of a content, once.
INSERT INTO attachments (digest, size, content) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING;

-- name: use_attachment
-- Which message needs it.
INSERT OR IGNORE INTO attachment_uses (message, digest) VALUES (?, ?);

-- name: meta
-- A fact about the store itself.
SELECT value FROM meta WHERE name = ?;

-- name: keep_meta
-- A fact about the store itself, the first time.
INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?);

-- name: try_disk
-- Something small to commit, to see how long the disk takes.
INSERT INTO meta (name, value) VALUES ('disk', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

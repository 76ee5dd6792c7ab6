-- name: message
-- One message, whole.
SELECT m.id, m.channel, m.version, m.received, m.peer, coalesce(o.status, 'received'), m.control_id, m.content, m.cuts,
    m.replay_of, m.destinations, m.force, o.answer_code, o.answer, o.more_answers,
    o.error_code, o.error_place, o.error_origin, o.error_text, o.type, o.sender, o.patients, o.orders, m.about
FROM messages AS m LEFT JOIN outcomes AS o ON o.id = m.id
WHERE m.id = ?;

-- name: backlog
-- Messages of a channel that are received and not settled, oldest first, read on from an id.
SELECT m.id, m.channel, m.version, m.received, m.peer, coalesce(o.status, 'received'), m.control_id, m.content, m.cuts,
    m.replay_of, m.destinations, m.force, o.answer_code, o.answer, o.more_answers,
    o.error_code, o.error_place, o.error_origin, o.error_text, o.type, o.sender, o.patients, o.orders, m.about
FROM backlog AS b JOIN messages AS m ON m.id = b.message LEFT JOIN outcomes AS o ON o.id = m.id
WHERE b.channel = ? AND b.message > ?
ORDER BY b.message LIMIT ?;

-- name: deliveries
-- The deliveries of a message, as written.
SELECT id, lane, status, attempts, next_try, code, reason, response, sent, cuts, changed FROM deliveries
WHERE id BETWEEN ?1 << 24 AND ((?1 + 1) << 24) - 1 ORDER BY id;

-- name: route_deliveries
-- The deliveries of messages (a JSON array of ids) to one route, as written, without what was sent and answered.
SELECT d.id, d.lane, d.status, d.attempts, d.next_try, d.code, d.reason, NULL, NULL, NULL, d.changed
FROM json_each(?1) AS wanted
CROSS JOIN deliveries AS d ON d.id BETWEEN (wanted.value << 24) | (?2 << 12) AND (wanted.value << 24) | (?2 << 12) | 4095
ORDER BY d.id;

-- name: waiting
-- Deliveries of a route in one status, in order, read on from an id, without what was sent and answered.
SELECT id, lane, status, attempts, next_try, code, reason, NULL, NULL, NULL, changed
FROM deliveries INDEXED BY deliveries_other
WHERE route = ?1 AND status = ?2 AND status <> 'sent' AND id >= ?3
ORDER BY id LIMIT ?4;

-- name: waiting_in_lane
-- Those of one lane.
SELECT id, lane, status, attempts, next_try, code, reason, NULL, NULL, NULL, changed
FROM deliveries INDEXED BY deliveries_lanes
WHERE route = ?1 AND lane = ?2 AND status <> 'sent' AND status <> 'superseded' AND status <> 'dismissed' AND id >= ?3
    AND status IN (SELECT value FROM json_each(?5))
ORDER BY id LIMIT ?4;

-- name: counts
-- Messages by channel and status.
SELECT names.text, status, messages FROM counts JOIN names ON names.id = counts.channel WHERE messages <> 0;

-- name: register
-- What a receiver was last told of reports (a JSON array of keys).
SELECT r.key, r.patient, r.time, r.rank, r.message, r.report, r.observations FROM json_each(?2) AS wanted
CROSS JOIN register AS r ON r.destination = ?1 AND r.key = wanted.value;

-- name: recall
-- References that a destination learned, by criterion (a JSON array).
SELECT l.criterion, l.reference FROM json_each(?2) AS wanted
CROSS JOIN learned AS l ON l.destination = ?1 AND l.criterion = wanted.value;

-- name: version
-- Everything a channel was made of.
SELECT digest, channel, files, release, created FROM channel_versions WHERE digest = ?;

-- name: leftovers
-- How often a path was left over in a channel.
SELECT path, times FROM leftovers WHERE channel = ?;

-- name: attachment
-- A run that was cut out.
SELECT content FROM attachments WHERE digest = ?;

-- name: attachment_count
-- How many runs are kept.
SELECT count(*) FROM attachments;

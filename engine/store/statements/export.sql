-- name: export_messages
-- Messages with what became of them.
SELECT m.id, channel.text AS channel, version.text AS version, m.received, m.peer, m.control_id, coalesce(o.status, 'received') AS status,
    m.replay_of, m.destinations, m.force, o.answer_code, o.answer, o.error_code, o.error_place, o.error_origin, o.error_text,
    o.type, o.sender, o.patients, o.orders, m.about, m.content, m.cuts
FROM messages AS m JOIN names AS channel ON channel.id = m.channel JOIN names AS version ON version.id = m.version
LEFT JOIN outcomes AS o ON o.id = m.id ORDER BY m.id;

-- name: export_deliveries
-- Deliveries as written, with what was sent and answered.
SELECT d.message, channel.text AS channel, destination.text AS destination, d.part, d.lane, d.status, d.attempts, d.next_try, d.changed,
    d.code, d.reason, d.response, d.sent, d.cuts
FROM deliveries AS d JOIN routes ON routes.id = d.route
JOIN names AS channel ON channel.id = routes.channel JOIN names AS destination ON destination.id = routes.destination ORDER BY d.id;

-- name: export_register
-- The result register.
SELECT destination.text AS destination, r.key, r.patient, r.time, r.rank, r.message, r.report, r.observations
FROM register AS r JOIN names AS destination ON destination.id = r.destination ORDER BY r.id;

-- name: export_learned
-- References that destinations learned.
SELECT destination.text AS destination, l.criterion, l.reference
FROM learned AS l JOIN names AS destination ON destination.id = l.destination ORDER BY l.destination, l.criterion;

-- name: export_leftovers
-- How often a path was left over.
SELECT channel.text AS channel, l.path, l.times
FROM leftovers AS l JOIN names AS channel ON channel.id = l.channel ORDER BY l.channel, l.path;

-- name: export_counts
-- Messages by channel and status.
SELECT channel.text AS channel, c.status, c.messages
FROM counts AS c JOIN names AS channel ON channel.id = c.channel WHERE c.messages <> 0 ORDER BY c.channel, c.status;

-- name: export_channel_versions
-- Everything channels were made of.
SELECT digest, channel, files, release, created FROM channel_versions ORDER BY created, digest;

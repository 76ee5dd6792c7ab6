-- name: newest_message
-- The highest id kept.
SELECT max(id) FROM messages;

-- name: spans_between
-- Spans down to one id, newest first, that were alive in a time.
SELECT id FROM spans WHERE id <= ?1 AND id >= ?2 AND earliest < ?3 AND latest >= ?4 ORDER BY id DESC;

-- name: spans_holding
-- Of spans (a JSON array), those that hold a key at all.
SELECT wanted.value FROM json_each(?1) AS wanted
CROSS JOIN message_keys AS k ON k.span = wanted.value AND k.hash = ?2 AND k.message = 0;

-- name: messages_by_key
-- Ids found by a key in spans (a JSON array), newest first.
SELECT k.message FROM json_each(?1) AS wanted
CROSS JOIN message_keys AS k ON k.span = wanted.value AND k.hash = ?2 AND k.message < ?3
ORDER BY k.message DESC LIMIT ?4;

-- name: messages_by_status
-- Ids of a channel's messages in a status that is neither `sent` nor `received`, newest first.
SELECT id FROM outcomes INDEXED BY outcomes_other
WHERE channel = ?1 AND status = ?2 AND status <> 'sent' AND id < ?3 ORDER BY id DESC LIMIT ?4;

-- name: messages_waiting
-- Ids of a channel's backlog, newest first.
SELECT message FROM backlog WHERE channel = ?1 AND message < ?2 ORDER BY message DESC LIMIT ?3;

-- name: messages_by_delivery
-- Ids of messages with a delivery on a route in a status that is not `sent`, newest first.
SELECT id >> 24 FROM deliveries INDEXED BY deliveries_other
WHERE route = ?1 AND status = ?2 AND status <> 'sent' AND id < ?3 << 24
ORDER BY id DESC LIMIT ?4;

-- name: messages_in_span
-- Ids of a span's messages below an id, newest first.
SELECT id FROM messages WHERE id >= ?1 AND id < ?2 ORDER BY id DESC;

-- name: found
-- Messages (a JSON array of ids) that meet every condition, newest first, without content.
SELECT m.id, m.channel, m.version, m.received, m.peer, coalesce(o.status, 'received'), m.control_id, NULL, NULL,
    m.replay_of, m.destinations, m.force, o.answer_code, NULL, NULL, o.error_code, o.error_place, o.error_origin, o.error_text,
    o.type, o.sender, o.patients, o.orders, m.about
FROM json_each(:ids) AS wanted CROSS JOIN messages AS m ON m.id = wanted.value LEFT JOIN outcomes AS o ON o.id = m.id
WHERE (:channel IS NULL OR m.channel = :channel)
    AND (:status = '' OR coalesce(o.status, 'received') = :status)
    AND (:control_id = '' OR m.control_id = :control_id)
    AND (:type = '' OR o.type = :type)
    AND (:since = 0 OR m.received >= :since) AND (:until = 0 OR m.received < :until)
    AND (:patient = '' OR EXISTS (SELECT 1 FROM json_each(o.patients) WHERE value = :patient))
    AND (:order = '' OR EXISTS (SELECT 1 FROM json_each(o.orders) WHERE value = :order))
    AND (:delivery_status = '' AND :destination = '' OR EXISTS (
        SELECT 1 FROM deliveries AS d JOIN routes ON routes.id = d.route JOIN names ON names.id = routes.destination
        WHERE d.id BETWEEN m.id << 24 AND ((m.id + 1) << 24) - 1
            AND (:delivery_status = '' OR d.status = :delivery_status) AND (:destination = '' OR names.text = :destination)))
ORDER BY m.id DESC LIMIT :limit;

-- name: channels
-- The channels that have messages, as numbers.
SELECT DISTINCT channel FROM counts;

-- name: routes
-- The routes there are, with their names.
SELECT routes.id, routes.channel, names.text FROM routes JOIN names ON names.id = routes.destination;

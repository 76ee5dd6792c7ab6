-- name: message_state
-- Where a message stands.
SELECT m.channel, coalesce(o.status, 'received'), m.control_id
FROM messages AS m LEFT JOIN outcomes AS o ON o.id = m.id WHERE m.id = ?;

-- name: delivery_state
-- Where a delivery stands.
SELECT status FROM deliveries WHERE id = ?;

-- name: name_control_id
-- The control id of a message that came in without one.
UPDATE messages SET control_id = ? WHERE id = ?;

-- name: keep_outcome
-- What settling added.  What a later settlement leaves out stays.
INSERT INTO outcomes (
    id, channel, status, answer_code, answer, more_answers, error_code, error_place, error_origin, error_text,
    type, sender, patients, orders
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status,
    answer_code = coalesce(excluded.answer_code, answer_code),
    answer = CASE WHEN excluded.answer_code IS NULL THEN answer ELSE excluded.answer END,
    more_answers = CASE WHEN excluded.answer_code IS NULL THEN more_answers ELSE excluded.more_answers END,
    error_code = excluded.error_code, error_place = excluded.error_place,
    error_origin = excluded.error_origin, error_text = excluded.error_text,
    type = coalesce(excluded.type, type), sender = coalesce(excluded.sender, sender),
    patients = coalesce(excluded.patients, patients), orders = coalesce(excluded.orders, orders);

-- name: keep_delivery
-- A delivery as it stands now.  What was sent and answered before stays until there is something newer.
INSERT INTO deliveries (id, lane, status, attempts, next_try, changed, code, reason, response, sent, cuts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    lane = excluded.lane, status = excluded.status, attempts = excluded.attempts, next_try = excluded.next_try,
    changed = excluded.changed, code = excluded.code, reason = excluded.reason,
    response = coalesce(excluded.response, response),
    cuts = CASE WHEN excluded.sent IS NULL THEN cuts ELSE excluded.cuts END, sent = coalesce(excluded.sent, sent);

-- name: keep_register_row
-- What a receiver was last told of one report.
INSERT INTO register (destination, key, patient, time, rank, message, report, observations)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (destination, key) DO UPDATE SET
    patient = excluded.patient, time = excluded.time, rank = excluded.rank, message = excluded.message,
    report = excluded.report, observations = excluded.observations;

-- name: learn
-- A reference that a destination learned.
INSERT INTO learned (destination, criterion, reference) VALUES (?, ?, ?)
ON CONFLICT (destination, criterion) DO UPDATE SET reference = excluded.reference;

-- name: count_messages
-- A channel's messages of one status, more or fewer than before.
INSERT INTO counts (channel, status, messages) VALUES (?, ?, ?)
ON CONFLICT (channel, status) DO UPDATE SET messages = messages + excluded.messages;

-- name: count_leftover
-- A path that no rule read, more often than before.
INSERT INTO leftovers (channel, path, times) VALUES (?, ?, ?)
ON CONFLICT (channel, path) DO UPDATE SET times = times + excluded.times;

-- name: keep_version
-- Everything a channel was made of.
INSERT INTO channel_versions (digest, channel, files, release, created) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (digest) DO NOTHING;

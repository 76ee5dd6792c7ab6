-- name: name_number
-- The number that stands for a text.
SELECT id FROM names WHERE text = ?;

-- name: name_text
-- The text that a number stands for.
SELECT text FROM names WHERE id = ?;

-- name: number_name
-- Give a text a number.
INSERT INTO names (text) VALUES (?) RETURNING id;

-- name: route_number
-- The number that stands for a channel's destination.
SELECT id FROM routes WHERE channel = ? AND destination = ?;

-- name: route_names
-- The channel and destination that a number stands for.
SELECT channel.text, destination.text FROM routes
JOIN names AS channel ON channel.id = routes.channel
JOIN names AS destination ON destination.id = routes.destination
WHERE routes.id = ?;

-- name: number_route
-- Give a channel's destination a number.
INSERT INTO routes (channel, destination) VALUES (?, ?) RETURNING id;

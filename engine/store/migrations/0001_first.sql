-- The first schema.
--
-- How it keeps a message's cost the same in a store of ten million: rows are appended, ids are the committer's own
-- counter, nothing that is settled is touched again, and what is not in the order of arrival is either only as long as
-- the backlog, or written once for a whole span of 256 messages.

CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;

-- Texts that recur in millions of rows: channels, version digests, destinations, message types, senders.
CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);

-- A destination of a channel.
CREATE TABLE routes (
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 4095), channel INTEGER NOT NULL, destination INTEGER NOT NULL,
    UNIQUE (channel, destination)
);

-- Everything a channel was made of.
CREATE TABLE channel_versions (
    digest TEXT PRIMARY KEY, channel TEXT NOT NULL, files BLOB NOT NULL, release TEXT NOT NULL, created REAL NOT NULL
);

-- What was received; never changed.  `cuts` lists the attachments taken out of the content.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, channel INTEGER NOT NULL, version INTEGER NOT NULL, received REAL NOT NULL,
    peer TEXT, control_id TEXT, duplicate_key BLOB, replay_of INTEGER, destinations TEXT, force INTEGER,
    content BLOB NOT NULL, cuts BLOB
);

-- The backlog: what is received and not settled.
CREATE TABLE backlog (channel INTEGER, message INTEGER, PRIMARY KEY (channel, message)) WITHOUT ROWID;

-- What settling added: a row comes with the first settlement.  A message without one is `received`.
CREATE TABLE outcomes (
    id INTEGER PRIMARY KEY, channel INTEGER NOT NULL, status TEXT NOT NULL, answer_code TEXT, answer BLOB, more_answers BLOB,
    error_code TEXT, error_place TEXT, error_origin TEXT, error_text TEXT,
    type TEXT, sender TEXT, patients TEXT, orders TEXT
);
-- Every message that did not simply go out.
CREATE INDEX outcomes_other ON outcomes (channel, status, id) WHERE status <> 'sent';

-- Counted as they change, never by counting rows.
CREATE TABLE counts (channel INTEGER, status TEXT, messages INTEGER NOT NULL, PRIMARY KEY (channel, status)) WITHOUT ROWID;

-- What messages are found by: span of 256 ids, hash over kind and value, message.  A row with message 0 says that the
-- span holds such a message at all (used for what most messages share: channel, type).  Written when the span is full.
CREATE TABLE message_keys (span INTEGER, hash INTEGER, message INTEGER, PRIMARY KEY (span, hash, message)) WITHOUT ROWID;
-- The spans whose keys are written, and when their messages were received.
CREATE TABLE spans (id INTEGER PRIMARY KEY, earliest REAL NOT NULL, latest REAL NOT NULL);

-- What a resend is recognised by: the id is a period (as long as the window) and a hash of the key in one number, so that
-- old ones fall off in one piece.  Written when the span is full.
CREATE TABLE duplicates (id INTEGER PRIMARY KEY, message INTEGER NOT NULL);

-- Deliveries as written.  The id is message, route and part in one number: rows are appended, and those of a message
-- lie together.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY, lane TEXT NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL, next_try REAL NOT NULL,
    changed REAL NOT NULL, code TEXT, reason TEXT, response BLOB, sent BLOB, cuts BLOB,
    message INTEGER GENERATED ALWAYS AS (id >> 24) VIRTUAL,
    route INTEGER GENERATED ALWAYS AS ((id >> 12) & 4095) VIRTUAL,
    part INTEGER GENERATED ALWAYS AS (id & 4095) VIRTUAL
);
-- Every delivery that did not simply go out.
CREATE INDEX deliveries_other ON deliveries (route, status, id) WHERE status <> 'sent';
-- Those that still wait, by lane.
CREATE INDEX deliveries_lanes ON deliveries (route, lane, id)
    WHERE status <> 'sent' AND status <> 'superseded' AND status <> 'dismissed';

-- The result register: what a receiver was last told of one report.
CREATE TABLE register (
    id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, key TEXT NOT NULL, patient TEXT NOT NULL, time TEXT NOT NULL,
    rank INTEGER NOT NULL, message INTEGER NOT NULL, report TEXT NOT NULL, observations TEXT NOT NULL
);
CREATE UNIQUE INDEX register_key ON register (destination, key);

-- References that destinations learned, by criterion.
CREATE TABLE learned (
    destination INTEGER, criterion TEXT, reference TEXT NOT NULL, PRIMARY KEY (destination, criterion)
) WITHOUT ROWID;

-- The ledger's leftovers, counted.
CREATE TABLE leftovers (channel INTEGER, path TEXT, times INTEGER NOT NULL, PRIMARY KEY (channel, path)) WITHOUT ROWID;

-- Large runs cut out of contents and of what was sent, each kept once.
CREATE TABLE attachments (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, content BLOB NOT NULL);
CREATE TABLE attachment_uses (message INTEGER, digest BLOB, PRIMARY KEY (message, digest)) WITHOUT ROWID;

-- Merges of patients' and visits' numbers.
--
-- A row says that a prior number stands for a surviving one for every message received after `message`, until one received
-- after `undone`.  It is written in the transaction of the message that says so; the alias table as of any message follows from
-- these rows and the message's id.

CREATE TABLE merges (
    message INTEGER NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, event TEXT NOT NULL,
    prior_system TEXT NOT NULL, prior TEXT NOT NULL, system TEXT NOT NULL, survivor TEXT NOT NULL,
    prior_lane TEXT NOT NULL, lane TEXT NOT NULL, undone INTEGER,
    PRIMARY KEY (message, number)
) WITHOUT ROWID;

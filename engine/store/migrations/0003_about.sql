-- What is known of a message beside its bytes: how it came over HTTP.  A JSON object; NULL where there is nothing to say.
ALTER TABLE messages ADD COLUMN about TEXT;

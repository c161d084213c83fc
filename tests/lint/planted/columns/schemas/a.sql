-- A column without a word.
CREATE TABLE a (
	one INTEGER PRIMARY KEY, -- there is one row
	two TEXT NOT NULL,
	three BLOB, --
	PRIMARY KEY (one)
) STRICT;
CREATE VIEW b AS
SELECT one
FROM a;

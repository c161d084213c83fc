-- linkages-2.sql - version 2 of linkages.db: what was found damaged is remembered.

-- name: damage
CREATE TABLE damage (
	number INTEGER PRIMARY KEY, -- from 1
	what TEXT NOT NULL, -- the row by table and place, and what was wrong with it; repeats nothing of it
	noticed_at INTEGER NOT NULL -- last committed instant when the store was rebuilt without it
) STRICT;

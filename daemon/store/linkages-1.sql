-- linkages-1.sql - version 1 of linkages.db. Never edited once released: a change is a file of its own, linkages-2.sql.
--
-- Names (sources, cases, workers, outboxes, policies) are interned: a row holds a small integer that means nothing
-- outside of this file. Instants are microseconds since 1970-01-01T00:00:00Z. Codes are the enumerators of
-- <linkages/event.h> and <linkages/notice.h>. Digests are 16 bytes of BLAKE2b. `sum` is 31 bits of SipHash-2-4, under a
-- key of zeroes, of what a row says, names spelled out, checked whenever the row is read: a flipped bit is noticed before
-- anybody is shown it.

-- name: identity
CREATE TABLE identity (
	one INTEGER PRIMARY KEY CHECK (one = 1), -- there is one row
	store BLOB NOT NULL CHECK (length(store) = 16) -- names this store: state.db and new mailboxes are made from it
) STRICT;

-- name: source
CREATE TABLE source (
	ref INTEGER PRIMARY KEY, -- stands for the name inside this file
	name TEXT NOT NULL UNIQUE, -- as configured and as in the events
	heard_at INTEGER -- instant of the last event or heartbeat; null: never
) STRICT;

-- name: stream
CREATE TABLE stream (
	ref INTEGER PRIMARY KEY, -- stands for (source, epoch) inside this file
	source INTEGER NOT NULL, -- source.ref
	epoch BLOB NOT NULL CHECK (length(epoch) = 16), -- random id of one outbox of the source
	next INTEGER, -- lowest seq not yet stored; null: the stream has not been opened, only named
	safe INTEGER NOT NULL DEFAULT 0, -- the publisher may forget up to here
	UNIQUE (source, epoch)
) STRICT;

-- name: source_gap
CREATE TABLE source_gap (
	stream INTEGER NOT NULL, -- stream.ref
	first INTEGER NOT NULL, -- from here
	upto INTEGER NOT NULL CHECK (upto >= first), -- up to here the outbox has forgotten what we never had, or lost
	noticed_at INTEGER NOT NULL, -- when its publisher said so
	PRIMARY KEY (stream, first)
) STRICT, WITHOUT ROWID;

-- name: agency_case
CREATE TABLE agency_case (
	ref INTEGER PRIMARY KEY, -- stands for (agency, number) inside this file
	agency INTEGER NOT NULL CHECK (agency IN (0, 1)), -- lk_agency
	number TEXT NOT NULL, -- the agency's own case number
	family BLOB CHECK (length(family) = 16), -- the family it belongs to; null: to none yet
	family_ref INTEGER, -- family.ref of that family, which spares looking for its id; null: look for it
	UNIQUE (agency, number)
) STRICT;
CREATE INDEX agency_case_family ON agency_case (family) WHERE family IS NOT NULL;

-- name: worker
CREATE TABLE worker (
	ref INTEGER PRIMARY KEY, -- stands for the name inside this file
	name TEXT NOT NULL UNIQUE, -- the worker's id at the agency, or an auditor's client name
	mailbox BLOB CHECK (length(mailbox) = 16), -- the mailbox's id; null: there is none
	first INTEGER NOT NULL DEFAULT 1, -- oldest seq kept
	next INTEGER NOT NULL DEFAULT 1 CHECK (next >= first), -- next seq to be given
	received INTEGER NOT NULL DEFAULT 0 CHECK (received < next) -- highest seq that a client has stored
) STRICT;

-- name: event
CREATE TABLE event (
	position INTEGER PRIMARY KEY, -- order of arrival, from 1
	source INTEGER NOT NULL, -- source.ref
	id TEXT NOT NULL, -- the event's id, unique within the source
	case_ref INTEGER NOT NULL, -- agency_case.ref of its subject
	type INTEGER NOT NULL, -- lk_event_type; -1: notice.answered
	supersedes TEXT, -- id of an event of the same source that it replaces; null: of none
	received_at INTEGER NOT NULL, -- when it came in
	lag INTEGER NOT NULL, -- how long before that it happened or took effect; negative: that is to come
	sequence INTEGER, -- the source's own order; null: it has none
	stream INTEGER, -- stream.ref of the outbox it came from; null: it came over the feed lane only
	outbox_seq INTEGER, -- its place there
	ahead INTEGER NOT NULL CHECK (ahead IN (0, 1)), -- 1: its time had not come; it is not folded yet
	sum INTEGER NOT NULL, -- of the row, except stream, outbox_seq and ahead, which change
	body BLOB NOT NULL, -- canonical MessagePack, shortened: store/vocabulary.c
	CHECK ((stream IS NULL) = (outbox_seq IS NULL)),
	UNIQUE (source, id)
) STRICT;
CREATE INDEX event_ahead ON event (received_at - lag) WHERE ahead = 1;
CREATE INDEX event_supersedes ON event (source, supersedes) WHERE supersedes IS NOT NULL;

-- name: outbox_run
CREATE TABLE outbox_run (
	stream INTEGER NOT NULL, -- stream.ref of an outbox
	seq INTEGER NOT NULL, -- from this place on, to the next row or multiple of 512, places and positions go up together
	position INTEGER NOT NULL, -- event.position of the event at that place, if it is one
	PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID;

-- name: event_case
CREATE TABLE event_case (
	case_ref INTEGER NOT NULL, -- agency_case.ref of its subject
	position INTEGER NOT NULL, -- event.position; filled behind: believed up to the value event_case.upto
	PRIMARY KEY (case_ref, position)
) STRICT, WITHOUT ROWID;

-- name: event_row
CREATE VIEW event_row AS
SELECT event.*, received_at - lag AS time_at, source.name AS source_name, agency_case.agency AS agency,
	agency_case.number AS number, stream.epoch AS epoch
FROM event
JOIN source ON source.ref = event.source
JOIN agency_case ON agency_case.ref = event.case_ref
LEFT JOIN stream ON stream.ref = event.stream;

-- name: dead_letter
CREATE TABLE dead_letter (
	number INTEGER PRIMARY KEY, -- order of arrival, from 1
	source TEXT, -- as its sender named itself; null: it did not
	stream INTEGER, -- stream.ref of the outbox it came from; null: it came over the feed lane
	seq INTEGER, -- its place there
	received_at INTEGER NOT NULL, -- when it came in
	reason INTEGER NOT NULL, -- lk_refusal
	field TEXT, -- path of the member that was refused
	detail TEXT, -- a sentence that repeats nothing of the bytes
	digest BLOB NOT NULL CHECK (length(digest) = 16), -- of the canonical form; of the whole bytes where they have none
	position INTEGER, -- event.position of what was submitted in its place; null: nothing was
	sum INTEGER NOT NULL, -- of the row, except position
	body BLOB NOT NULL, -- the bytes as they came, cut at 64 KiB
	CHECK ((stream IS NULL) = (seq IS NULL))
) STRICT;
CREATE INDEX dead_letter_outbox ON dead_letter (stream, seq) WHERE stream IS NOT NULL;

-- name: policy
CREATE TABLE policy (
	ref INTEGER PRIMARY KEY, -- stands for the revision inside this file
	revision BLOB NOT NULL UNIQUE CHECK (length(revision) = 16) -- digest of a policy
) STRICT;

-- name: family
CREATE TABLE family (
	ref INTEGER PRIMARY KEY, -- keeps the large rows out of the index on id
	id BLOB NOT NULL UNIQUE CHECK (length(id) = 16), -- the family's name
	wake_at INTEGER, -- next instant at which its notices may differ; null: none
	policy INTEGER NOT NULL, -- policy.ref it was derived under
	changed INTEGER NOT NULL, -- family_change.number of the last change that the row holds
	sum INTEGER NOT NULL, -- of the row
	state BLOB NOT NULL, -- packed by the engine, squeezed (store/squeeze.c): a cache of the log
	told BLOB NOT NULL -- likewise: what was issued, a truth of its own
) STRICT;
CREATE INDEX family_wake ON family (wake_at, id) WHERE wake_at IS NOT NULL;
CREATE INDEX family_policy ON family (policy);

-- name: family_change
CREATE TABLE family_change (
	number INTEGER PRIMARY KEY, -- of a commit that changed a family, from 1; the last one stays, if empty, for its number
	sum INTEGER NOT NULL, -- of the row
	changes BLOB NOT NULL -- of each family whose own row is to follow, its id and how it differs from the change before; squeezed
) STRICT;

-- name: dirty
CREATE TABLE dirty (
	ref INTEGER PRIMARY KEY, -- family.ref: its rows in state.db are older than it is
	since INTEGER NOT NULL -- log position before the batch that changed it first
) STRICT;
CREATE INDEX dirty_since ON dirty (since);

-- name: dirty_gone
CREATE TABLE dirty_gone (
	family BLOB PRIMARY KEY CHECK (length(family) = 16), -- has rows in state.db, and is none any more
	since INTEGER NOT NULL -- likewise
) STRICT, WITHOUT ROWID;
CREATE INDEX dirty_gone_since ON dirty_gone (since);

-- name: link
CREATE TABLE link (
	one INTEGER NOT NULL, -- agency_case.ref; every link is here twice, once from each end
	other INTEGER NOT NULL, -- agency_case.ref
	since INTEGER NOT NULL, -- instant from which it holds; 9223372036854775807: a person refused the pair
	PRIMARY KEY (one, other)
) STRICT, WITHOUT ROWID;

-- name: token
CREATE TABLE token (
	kind INTEGER NOT NULL, -- lk_key_kind
	token BLOB NOT NULL CHECK (length(token) = 16), -- keyed digest made by the agency; what it stands for is unknown here
	case_ref INTEGER NOT NULL, -- agency_case.ref of the case that carries it
	since INTEGER NOT NULL, -- instant from which it does
	PRIMARY KEY (kind, token, case_ref)
) STRICT, WITHOUT ROWID;
CREATE INDEX token_case ON token (case_ref);

-- name: calendar
CREATE TABLE calendar (
	family BLOB NOT NULL CHECK (length(family) = 16), -- whose meeting it is
	line INTEGER NOT NULL, -- counts the family's entries
	worker INTEGER NOT NULL, -- worker.ref of one required worker
	meeting TEXT NOT NULL, -- the meeting's id
	place TEXT, -- null: not named
	start_at INTEGER NOT NULL, -- instant it starts
	end_at INTEGER NOT NULL, -- instant it ends
	scheduled_at INTEGER NOT NULL, -- instant it was put on the calendar
	agency INTEGER NOT NULL, -- lk_agency that said it
	kind INTEGER NOT NULL, -- lk_meeting_kind
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX calendar_worker ON calendar (worker, end_at);

-- name: phrase
CREATE TABLE phrase (
	ref INTEGER PRIMARY KEY, -- stands for it inside this file
	bytes BLOB NOT NULL -- what many rows say and no family is known by: a source, a citation, who works on a case, a basis
) STRICT;

-- name: notice_block
CREATE TABLE notice_block (
	first INTEGER PRIMARY KEY, -- no notice of the block has a lower serial number, none of the block before a higher one
	bytes BLOB NOT NULL -- about 50 notices, the columns of each one behind the other, partly squeezed (store/block.c):
		-- serial: order of telling, from 1
		-- number: 4294967296 * worker.ref of the one told + seq, the place in the mailbox, dense from 1
		-- id: the notice's id, the same for all of its tellings
		-- rev: 1, 2, ... a telling
		-- marks: kind, state, level, class, agencies and topic, as notice_row takes them apart
		-- own_case: agency_case.ref on the recipient's side; null: none
		-- other_case: agency_case.ref the facts are from; null: none crossed
		-- told_at: instant of the telling
		-- ledger: ledger.number of its making; null: nothing of the other side is in it
		-- sum: of the row, with the phrases that it names
		-- body: what the notice says beyond these columns, as notice.c packs it
) STRICT;

-- name: roll
CREATE TABLE roll (
	number INTEGER PRIMARY KEY, -- number of the notice at the first of 64 places of a mailbox
	ids BLOB NOT NULL, -- of each, the first three bytes of the notice's id; zeroes, if there is none
	serials BLOB NOT NULL -- of each, its serial number: 0: none; else one more than the step from the one before, as a number of
		-- seven bits a byte, the lowest its sign. Filled behind: whole up to the serial that is the value roll.upto
) STRICT;

-- name: apart
CREATE TABLE apart (
	id BLOB PRIMARY KEY CHECK (length(id) = 16), -- of a notice that was told in a family that has come apart since
	rev INTEGER NOT NULL -- of its last telling: whichever part tells it again goes on from here
) STRICT, WITHOUT ROWID;

-- name: answer
CREATE TABLE answer (
	notice BLOB PRIMARY KEY CHECK (length(notice) = 16), -- the notice's id
	by_worker INTEGER NOT NULL, -- worker.ref of the person who acknowledged it
	at INTEGER NOT NULL -- when
) STRICT, WITHOUT ROWID;

-- name: aged
CREATE TABLE aged (
	notice BLOB PRIMARY KEY CHECK (length(notice) = 16), -- the notice's id; unanswered: a moment that left its mailbox by its age, or a row that was damaged
	worker INTEGER NOT NULL, -- worker.ref of the one told: an answer finds its family by this row
	own_case INTEGER, -- agency_case.ref on the recipient's side; null: none
	other_case INTEGER -- agency_case.ref the facts are from; null: none crossed
) STRICT, WITHOUT ROWID;

-- name: notice_row
CREATE VIEW notice_row AS -- notice: the notices of notice_block, a row each, as the daemon's own connections have them
SELECT notice.*, notice.number & 4294967295 AS seq, worker.name AS worker_name, own.number AS own_number,
	other.number AS other_number, answerer.name AS answered_by, answer.at AS answered_at,
	marks & 255 AS kind, -- lk_notice_kind
	marks >> 8 & 3 AS state, -- lk_notice_state
	marks >> 10 & 3 AS level, -- lk_level: what it carries of the other side
	marks >> 12 & 1 AS rule_class, -- 0 standing, 1 moment
	(marks >> 13 & 3) - 1 AS own_agency, -- lk_agency of the recipient's side; -1: none
	(marks >> 15 & 3) - 1 AS other_agency, -- lk_agency the facts are from; -1: none crossed
	(marks >> 17) - 1 AS topic -- lk_topic; -1: none
FROM notice
JOIN worker ON worker.ref = notice.number >> 32
LEFT JOIN agency_case AS own ON own.ref = notice.own_case
LEFT JOIN agency_case AS other ON other.ref = notice.other_case
LEFT JOIN answer ON answer.notice = notice.id
LEFT JOIN worker AS answerer ON answerer.ref = answer.by_worker;

-- name: ledger
CREATE TABLE ledger (
	number INTEGER PRIMARY KEY, -- from 1, without a gap
	at INTEGER, -- when it was disclosed; null: the row was expunged, and so is all up to ground
	reader INTEGER, -- worker.ref of the worker or auditor
	session TEXT, -- in which it was handed out; null: when the notice was made, or it was not a notice
	first_seq INTEGER, -- in the worker's mailbox; 0: it was not a notice
	last_seq INTEGER, -- in the worker's mailbox, where it was handed out; null: as first_seq
	level INTEGER, -- lk_level
	basis TEXT, -- legal basis, consent or purpose: what of it is not in ground
	ground INTEGER, -- phrase.ref of how the basis begins; null: basis is all of it
	seal BLOB CHECK (length(seal) IN (12, 16)), -- salt of the row's digest; null: by ledger_secret; expunged: that digest
	chain BLOB NOT NULL CHECK (length(chain) IN (2, 16)) -- digest of the row before's chain, the number and the row's digest;
		-- its first bytes, where the next row was written with it
) STRICT;
CREATE INDEX ledger_handed ON ledger (reader, last_seq) WHERE session IS NOT NULL;
CREATE INDEX ledger_asked ON ledger (number) WHERE first_seq = 0;

-- name: ledger_secret
CREATE TABLE ledger_secret (
	block INTEGER PRIMARY KEY, -- 64 rows of the ledger, from 64 * block + 1 on
	secret BLOB NOT NULL CHECK (length(secret) = 32) -- random: their salts follow from it; it goes with the first that is expunged
) STRICT;

-- name: ledger_row
CREATE VIEW ledger_row AS
SELECT number, at, worker.name AS worker_name, session, first_seq,
	iif(session IS NULL, coalesce(last_seq, first_seq), last_seq) AS last_seq, level,
	CASE WHEN ground IS NULL THEN basis ELSE CAST(phrase.bytes AS TEXT) || coalesce(basis, '') END AS basis,
	seal, chain, reader, secret
FROM ledger LEFT JOIN worker ON worker.ref = reader LEFT JOIN phrase ON phrase.ref = ground
LEFT JOIN ledger_secret ON block = (number - 1) / 64;

-- name: ledger_expunged
CREATE TABLE ledger_expunged (
	by_row INTEGER NOT NULL, -- ledger.number of the row that tells of the order
	number INTEGER NOT NULL UNIQUE, -- ledger.number of a row that it took away: that row says nothing any more
	PRIMARY KEY (by_row, number)
) STRICT, WITHOUT ROWID;

-- name: backup
CREATE TABLE backup (
	number INTEGER PRIMARY KEY, -- from 1; a copy never holds its own row
	made_at INTEGER NOT NULL, -- instant of the state that it holds
	position INTEGER NOT NULL, -- last event of the log in it
	ledger INTEGER NOT NULL, -- last row of the ledger in it
	place TEXT, -- where it was put, as the tool said; null: never verified
	verified_at INTEGER -- instant; null: never
) STRICT;

-- name: backup_stream
CREATE TABLE backup_stream (
	backup INTEGER NOT NULL, -- backup.number
	stream INTEGER NOT NULL, -- stream.ref
	upto INTEGER NOT NULL, -- highest seq in it: once it is verified, the outbox may forget up to here
	PRIMARY KEY (backup, stream)
) STRICT, WITHOUT ROWID;

-- name: hold
CREATE TABLE hold (
	agency INTEGER NOT NULL, -- lk_agency
	number TEXT NOT NULL, -- case number: it may be neither expunged nor pruned
	reason TEXT NOT NULL, -- as it was given
	at INTEGER NOT NULL, -- since when
	PRIMARY KEY (agency, number)
) STRICT, WITHOUT ROWID;

-- name: value
CREATE TABLE value (
	name TEXT PRIMARY KEY, -- what it is
	value INTEGER NOT NULL -- the last committed one
) STRICT, WITHOUT ROWID;

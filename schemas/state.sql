-- state.sql - state.db, the shared state store: what the families are, in plain tables, for reports and analysts.
--
-- A projection: the daemon fills it from the event log in idle moments and can make it anew at any time, so another
-- version of it is never migrated. Read it; nobody but the daemon writes it. Codes are the words of the events.
-- Instants are text in RFC 3339, in UTC, and compare as text; dates are 'YYYY-MM-DD'. A row is named by its family and
-- a line that counts the family's rows of that table and means nothing else. What is read are views; what they say is kept
-- short, in tables whose names begin with kept_: a number for the family, a line for its case, and of what happened and was
-- told, which may be three rows an event, numbers for all of it.

CREATE TABLE standing (
	one INTEGER PRIMARY KEY CHECK (one = 1), -- there is one row
	store BLOB NOT NULL CHECK (length(store) = 16), -- the linkages.db that this was filled from
	position INTEGER NOT NULL, -- every event of the log up to here is in these tables
	fillings INTEGER NOT NULL -- how often rows were filled in: tells an old copy of this file
) STRICT;

CREATE TABLE kept_family (
	ref INTEGER PRIMARY KEY, -- stands for the name inside this file
	family TEXT NOT NULL UNIQUE -- the family's name, 32 hex digits
) STRICT;

CREATE TABLE kept_case (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	agency TEXT NOT NULL, -- cws or calworks
	number TEXT NOT NULL, -- the agency's own case number
	unit INTEGER NOT NULL, -- cases of one family and unit are joined by links
	is_open INTEGER NOT NULL, -- 0 or 1
	limited_access INTEGER NOT NULL, -- 0 or 1
	status TEXT, -- null: none yet
	status_at TEXT, -- since when
	status_until TEXT, -- last day of the status, where the agency gave one
	opened_at TEXT, -- the present or last opening
	closed_at TEXT, -- the last closing; null: none
	closing_on TEXT, -- planned end
	contact_at TEXT, -- last contact of any kind
	visited_at TEXT, -- last face-to-face contact
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_case_number ON kept_case (number, agency);

CREATE VIEW state_case AS
SELECT kept_family.family, line, agency, number, unit, is_open, limited_access, status, status_at, status_until,
	opened_at, closed_at, closing_on, contact_at, visited_at
FROM kept_family JOIN kept_case ON kept_case.family = kept_family.ref;

CREATE TABLE kept_episode (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	unit INTEGER NOT NULL, -- as in kept_case
	episode INTEGER NOT NULL, -- how often these cases have become mutual
	is_mutual INTEGER NOT NULL, -- 1: they are now
	begun_at TEXT, -- start of the present or last episode
	ended_at TEXT, -- end of the last one; null: none has ended
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;

CREATE VIEW episode AS
SELECT kept_family.family, line, unit, episode, is_mutual, begun_at, ended_at
FROM kept_family JOIN kept_episode ON kept_episode.family = kept_family.ref;

CREATE TABLE kept_assignment (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	case_line INTEGER, -- kept_case.line of its case
	role TEXT, -- social_worker, employment_specialist, ...
	worker TEXT, -- the worker's id
	name TEXT, -- the worker's name, where the agency gave it
	phone TEXT, -- the worker's phone, where the agency gave it
	from_at TEXT, -- assigned
	until_at TEXT, -- not assigned any more; null: still is
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_assignment_worker ON kept_assignment (worker);

CREATE VIEW assignment AS
SELECT kept_family.family, kept_assignment.line, agency, number, role, worker, name, phone, from_at, until_at
FROM kept_family JOIN kept_assignment ON kept_assignment.family = kept_family.ref
LEFT JOIN kept_case ON kept_case.family = kept_assignment.family AND kept_case.line = case_line;

CREATE TABLE kept_link (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	agency TEXT NOT NULL, -- of the one case
	number TEXT NOT NULL, -- of the one case
	other_agency TEXT NOT NULL, -- of the other case
	other_number TEXT NOT NULL, -- of the other case
	since_at TEXT, -- from when on it holds
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;

CREATE VIEW link AS
SELECT kept_family.family, line, agency, number, other_agency, other_number, since_at
FROM kept_family JOIN kept_link ON kept_link.family = kept_family.ref;

CREATE TABLE kept_consent (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	case_line INTEGER, -- kept_case.line of the case it was signed on
	consent TEXT, -- the agency's id of it
	in_force INTEGER NOT NULL, -- 0 or 1
	topics TEXT NOT NULL, -- those it covers, joined by commas
	signed_at TEXT, -- the last signature
	expires_on TEXT, -- its last day; null: none given
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;

CREATE VIEW consent AS
SELECT kept_family.family, kept_consent.line, agency, number, consent, in_force, topics, signed_at, expires_on
FROM kept_family JOIN kept_consent ON kept_consent.family = kept_family.ref
LEFT JOIN kept_case ON kept_case.family = kept_consent.family AND kept_case.line = case_line;

CREATE TABLE kept_plan (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	case_line INTEGER, -- kept_case.line of its case
	plan TEXT, -- the agency's id of it
	kind TEXT, -- ifs_agreement, ...; null: named before it was signed
	signed_at TEXT, -- null: not signed
	closing_on TEXT, -- planned end
	has_ended INTEGER NOT NULL, -- 0 or 1
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;

CREATE VIEW plan AS
SELECT kept_family.family, kept_plan.line, agency, number, plan, kind, signed_at, kept_plan.closing_on,
	has_ended
FROM kept_family JOIN kept_plan ON kept_plan.family = kept_family.ref
LEFT JOIN kept_case ON kept_case.family = kept_plan.family AND kept_case.line = case_line;

CREATE TABLE kept_service (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	case_line INTEGER, -- kept_case.line of its case
	service TEXT, -- the agency's id of it
	category TEXT, -- substance_use, ...
	is_running INTEGER NOT NULL, -- 0 or 1
	started_at TEXT, -- when it started
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;

CREATE VIEW service AS
SELECT kept_family.family, kept_service.line, agency, number, service, category, is_running, started_at
FROM kept_family JOIN kept_service ON kept_service.family = kept_family.ref
LEFT JOIN kept_case ON kept_case.family = kept_service.family AND kept_case.line = case_line;

CREATE TABLE kept_meeting (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	case_line INTEGER, -- kept_case.line of the case that first named it
	meeting TEXT, -- the agency's id of it
	kind TEXT, -- pltm, ltm, ...; null: never scheduled
	state TEXT NOT NULL, -- planned, held, missed or cancelled
	start_at TEXT, -- as last scheduled
	end_at TEXT, -- as last scheduled
	place TEXT, -- as last scheduled; null: not named
	organizer TEXT, -- worker id; null: not named
	needs_family INTEGER, -- 0 or 1: the family has to be there; null: never scheduled
	held_at TEXT, -- null: not held
	with_family INTEGER NOT NULL, -- 1: held, and the family was there
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_meeting_start ON kept_meeting (start_at);

CREATE VIEW meeting AS
SELECT kept_family.family, kept_meeting.line, agency, number, meeting, kind, state, start_at, end_at, place, organizer,
	needs_family, held_at, with_family
FROM kept_family JOIN kept_meeting ON kept_meeting.family = kept_family.ref
LEFT JOIN kept_case ON kept_case.family = kept_meeting.family AND kept_case.line = case_line;

CREATE TABLE kept_meeting_worker (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	meeting_line INTEGER NOT NULL, -- meeting.line in this family
	worker TEXT, -- the worker's id
	is_required INTEGER NOT NULL, -- 1: required, 0: optional
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;

CREATE VIEW meeting_worker AS
SELECT kept_family.family, line, meeting_line, worker, is_required
FROM kept_family JOIN kept_meeting_worker ON kept_meeting_worker.family = kept_family.ref;

CREATE TABLE kept_concern (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	case_line INTEGER, -- kept_case.line of its case
	concern TEXT, -- the agency's id of it
	kind TEXT, -- not_meeting_requirements, ...
	is_resolved INTEGER NOT NULL, -- 0 or 1
	raised_at TEXT, -- when it was raised
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;

CREATE VIEW concern AS
SELECT kept_family.family, kept_concern.line, agency, number, concern, kind, is_resolved, raised_at
FROM kept_family JOIN kept_concern ON kept_concern.family = kept_family.ref
LEFT JOIN kept_case ON kept_case.family = kept_concern.family AND kept_case.line = case_line;

CREATE TABLE kept_referral (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	case_line INTEGER, -- kept_case.line of its case
	referral TEXT, -- the agency's id of it
	category TEXT, -- what for
	made_to TEXT, -- an agency or a name
	status TEXT, -- received, accepted, declined or completed; null: made
	is_urgent INTEGER NOT NULL, -- 0 or 1
	made_at TEXT, -- when it was made
	follow_up_on TEXT, -- the day to ask again
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;

CREATE VIEW referral AS
SELECT kept_family.family, kept_referral.line, agency, number, referral, category, made_to, kept_referral.status, is_urgent,
	made_at, follow_up_on
FROM kept_family JOIN kept_referral ON kept_referral.family = kept_family.ref
LEFT JOIN kept_case ON kept_case.family = kept_referral.family AND kept_case.line = case_line;

CREATE TABLE kept_clock (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	case_line INTEGER NOT NULL, -- kept_case.line of its case
	clock TEXT NOT NULL, -- tanf60
	used INTEGER NOT NULL, -- months counted so far
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;

CREATE VIEW clock AS
SELECT kept_family.family, kept_clock.line, agency, number, clock, used
FROM kept_family JOIN kept_clock ON kept_clock.family = kept_family.ref
LEFT JOIN kept_case ON kept_case.family = kept_clock.family AND kept_case.line = case_line;

CREATE TABLE kept_removal (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	case_line INTEGER, -- kept_case.line of its case
	person TEXT, -- the agency's own id of the child; never a name
	has_returned INTEGER NOT NULL, -- 0 or 1
	removed_at TEXT, -- when
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;

CREATE VIEW removal AS
SELECT kept_family.family, kept_removal.line, agency, number, person, has_returned, removed_at
FROM kept_family JOIN kept_removal ON kept_removal.family = kept_family.ref
LEFT JOIN kept_case ON kept_case.family = kept_removal.family AND kept_case.line = case_line;

CREATE TABLE kept_deed (
	ref INTEGER PRIMARY KEY, -- stands for both of these inside this file
	type TEXT NOT NULL, -- of an event
	code TEXT NOT NULL, -- that it says; empty: the type has none
	UNIQUE (type, code)
) STRICT;

CREATE TABLE kept_history (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	deed INTEGER NOT NULL, -- kept_deed.ref
	case_line INTEGER NOT NULL, -- kept_case.line of its case
	at INTEGER NOT NULL, -- microseconds since 1970-01-01T00:00:00Z
	known_at INTEGER NOT NULL, -- likewise
	ref TEXT, -- the agency's id of the consent, plan or meeting; null: the type has none
	on_date TEXT, -- of a planned closing; null: taken back, or the type has none
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;

CREATE VIEW history AS -- what happened: when, when the daemon learned of it, to which case; what was superseded is not here
SELECT kept_family.family, kept_history.line,
	strftime('%Y-%m-%dT%H:%M:%S', kept_history.at / 1000000, 'unixepoch')
		|| rtrim(rtrim(printf('.%06d', kept_history.at % 1000000), '0'), '.') || '+00:00' AS at,
	strftime('%Y-%m-%dT%H:%M:%S', known_at / 1000000, 'unixepoch')
		|| rtrim(rtrim(printf('.%06d', known_at % 1000000), '0'), '.') || '+00:00' AS known_at,
	agency, number,
	type, -- of the event: case.opened, case.status, consent.signed, ...
	nullif(code, '') AS code, -- status, role or kind, by type; null: the type has none
	kept_history.ref, -- the agency's id of the consent, plan or meeting; null: the type has none
	on_date -- of a planned closing; null: taken back, or the type has none
FROM kept_family
JOIN kept_history ON kept_history.family = kept_family.ref
JOIN kept_deed ON kept_deed.ref = kept_history.deed
JOIN kept_case ON kept_case.family = kept_history.family AND kept_case.line = kept_history.case_line;

CREATE TABLE kept_manner (
	ref INTEGER PRIMARY KEY, -- stands for all of these inside this file
	kind TEXT NOT NULL, -- of the notice
	level TEXT NOT NULL, -- what it carried of the other side: own, signal, registry, content
	own_agency TEXT, -- of the recipient's side; null: no side
	is_standing INTEGER NOT NULL, -- 1: told and not withdrawn
	UNIQUE (kind, level, own_agency, is_standing)
) STRICT;

CREATE TABLE kept_told (
	family INTEGER NOT NULL, -- kept_family.ref
	line INTEGER NOT NULL, -- counts
	manner INTEGER NOT NULL, -- kept_manner.ref
	own ANY, -- kept_case.line of the recipient's side's case; its number, where the family has it no more; null: none
	other ANY, -- likewise of the case of the other side that it tells of; null: nothing crossed
	told_at INTEGER, -- microseconds since 1970-01-01T00:00:00Z; null: as in the last line before of the family that says one
	answered_at INTEGER, -- likewise
	PRIMARY KEY (family, line)
) STRICT, WITHOUT ROWID;

CREATE VIEW told AS -- what was told: to which side, of which case, when first, and when a person acknowledged it
SELECT kept_family.family, at.line, kind, level, own_agency,
	CASE typeof(own) WHEN 'integer' THEN (SELECT number FROM kept_case
		WHERE kept_case.family = at.family AND kept_case.line = own) ELSE own END AS own_number,
	CASE typeof(other) WHEN 'integer' THEN (SELECT number FROM kept_case
		WHERE kept_case.family = at.family AND kept_case.line = other) ELSE other END AS other_number,
	is_standing,
	strftime('%Y-%m-%dT%H:%M:%S', at.told_at / 1000000, 'unixepoch')
		|| rtrim(rtrim(printf('.%06d', at.told_at % 1000000), '0'), '.') || '+00:00' AS told_at,
	strftime('%Y-%m-%dT%H:%M:%S', answered_at / 1000000, 'unixepoch')
		|| rtrim(rtrim(printf('.%06d', answered_at % 1000000), '0'), '.') || '+00:00' AS answered_at
FROM kept_family
JOIN (SELECT family, line, manner, own, other, answered_at, coalesce(told_at, (SELECT told_at FROM kept_told AS before
	WHERE before.family = kept_told.family AND before.line < kept_told.line AND told_at IS NOT NULL
	ORDER BY line DESC LIMIT 1)) AS told_at FROM kept_told) AS at ON at.family = kept_family.ref
JOIN kept_manner ON kept_manner.ref = at.manner;

CREATE VIEW mutual_family AS -- families with an open case on both sides, joined by links
SELECT family, unit, episode, begun_at FROM episode WHERE is_mutual = 1;

CREATE VIEW caseload AS -- who answers for which open case now
SELECT worker, name, role, agency, number, status, kept_family.family
FROM kept_assignment
JOIN kept_case ON kept_case.family = kept_assignment.family AND kept_case.line = case_line
JOIN kept_family ON kept_family.ref = kept_assignment.family
WHERE until_at IS NULL AND is_open = 1;

CREATE VIEW calendar AS -- meetings that are still to come or to be reported, with each worker of them
SELECT start_at, end_at, kind, meeting, place, worker, is_required, kept_family.family
FROM kept_meeting
JOIN kept_family ON kept_family.ref = kept_meeting.family
LEFT JOIN kept_meeting_worker ON kept_meeting_worker.family = kept_meeting.family AND meeting_line = kept_meeting.line
WHERE state = 'planned' AND start_at IS NOT NULL;

-- statements.sql - every statement on linkages.db, by name; prepared once, when the store is opened.

-- name: begin
BEGIN IMMEDIATE
-- name: commit
COMMIT
-- name: rollback
ROLLBACK

-- name: source_seek
SELECT ref FROM source WHERE name = ?1
-- name: source_add
INSERT INTO source (name) VALUES (?1)
-- name: worker_seek
SELECT ref FROM worker WHERE name = ?1
-- name: worker_add
INSERT INTO worker (name) VALUES (?1)
-- name: case_seek
SELECT ref, family, family_ref, EXISTS (SELECT 1 FROM token WHERE case_ref = agency_case.ref)
FROM agency_case WHERE agency = ?1 AND number = ?2
-- name: ahead_cases
SELECT ref, agency, number, family, family_ref, EXISTS (SELECT 1 FROM token WHERE case_ref = agency_case.ref)
FROM agency_case WHERE family = (SELECT family FROM agency_case WHERE agency = ?1 AND number = ?2)
-- name: case_add
INSERT INTO agency_case (agency, number) VALUES (?1, ?2)
-- name: stream_seek
SELECT ref FROM stream WHERE source = ?1 AND epoch = ?2
-- name: stream_add
INSERT INTO stream (source, epoch) VALUES (?1, ?2)
-- name: policy_seek
SELECT ref FROM policy WHERE revision = ?1
-- name: policy_add
INSERT INTO policy (revision) VALUES (?1)

-- name: identity_get
SELECT store FROM identity WHERE one = 1
-- name: identity_put
INSERT INTO identity (one, store) VALUES (1, ?1)

-- name: event_last
SELECT max(position) FROM event
-- name: event_add
INSERT INTO event (position, source, id, case_ref, type, supersedes, received_at, lag, sequence, stream, outbox_seq,
	ahead, sum, body)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
ON CONFLICT (source, id) DO NOTHING
-- name: event_take
INSERT OR FAIL INTO event (position, source, id, case_ref, type, supersedes, received_at, lag, sequence, stream, outbox_seq,
	ahead, sum, body)
SELECT position, source, id, case_ref, type, supersedes, received_at, lag, sequence, stream, outbox_seq, ahead, sum, body
FROM event_waiting
-- name: event_last_id
SELECT max(id) FROM event WHERE source = ?1
-- name: event_known
SELECT position FROM event WHERE source = ?1 AND id = ?2
-- name: event_find
SELECT position, agency, source_name, id, number, supersedes, type, time_at, received_at, sequence, outbox_seq, epoch,
	ahead, sum, body
FROM event_row WHERE source = ?1 AND id = ?2
-- name: event_of_case
SELECT event_row.position, agency, source_name, id, number, supersedes, type, time_at, received_at, sequence, outbox_seq,
	epoch, ahead, sum, body
FROM event_case CROSS JOIN event_row ON event_row.position = event_case.position
WHERE event_case.case_ref = ?1 AND event_case.position < ?2 ORDER BY event_case.position
-- name: event_at
SELECT position, agency, source_name, id, number, supersedes, type, time_at, received_at, sequence, outbox_seq, epoch,
	ahead, sum, body
FROM event_row WHERE position = ?1
-- name: event_cases_after
SELECT position, case_ref FROM event WHERE position > ?1 ORDER BY position LIMIT ?2
-- name: event_case_of
SELECT case_ref FROM event WHERE position = ?1
-- name: event_case_add
INSERT OR IGNORE INTO event_case (case_ref, position) VALUES (?1, ?2)
-- name: event_case_drop
DELETE FROM event_case WHERE case_ref = ?1 AND position = ?2
-- name: event_due
SELECT position, agency, source_name, id, number, supersedes, type, time_at, received_at, sequence, outbox_seq, epoch,
	ahead, sum, body
FROM event_row WHERE ahead = 1 AND time_at <= ?1 ORDER BY time_at, position LIMIT ?2
-- name: event_source
SELECT source FROM event WHERE position = ?1
-- name: event_place
UPDATE event SET stream = ?2, outbox_seq = ?3 WHERE position = ?1 AND stream IS NULL
-- name: event_arrived
UPDATE event SET ahead = 0 WHERE position = ?1 AND +ahead = 1
-- name: event_first_ahead
SELECT position FROM event WHERE ahead = 1 AND received_at - lag <= ?1 ORDER BY received_at - lag, position LIMIT 1
-- name: event_next_ahead
SELECT min(received_at - lag) FROM event WHERE ahead = 1
-- name: event_superseded_count
SELECT count(*) FROM event INDEXED BY event_supersedes WHERE supersedes IS NOT NULL
-- name: event_superseders
SELECT source, supersedes FROM event INDEXED BY event_supersedes WHERE supersedes IS NOT NULL
-- name: event_superseded
SELECT 1 FROM event WHERE source = ?1 AND supersedes = ?2 LIMIT 1

-- name: letter_add
INSERT INTO dead_letter (source, stream, seq, received_at, reason, field, detail, digest, sum, body)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
-- name: letter_after
SELECT number, dead_letter.source, seq, epoch, received_at, reason, field, detail, position, sum, body
FROM dead_letter LEFT JOIN stream ON stream.ref = dead_letter.stream
WHERE number > ?1 ORDER BY number LIMIT ?2
-- name: letter_settle
UPDATE dead_letter SET position = ?2 WHERE number = ?1
-- name: letter_of_stream
SELECT number, dead_letter.source, seq, epoch, received_at, reason, field, detail, position, sum, body
FROM dead_letter JOIN stream ON stream.ref = dead_letter.stream
WHERE dead_letter.stream = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq, number

-- name: stream_get
SELECT next, safe, max(coalesce((SELECT outbox_seq FROM outbox_run AS run
	CROSS JOIN event ON event.position >= run.position AND event.position < run.position + 512 - run.seq % 512
	WHERE run.stream = stream.ref AND event.stream = stream.ref AND outbox_seq - seq = event.position - run.position
	ORDER BY seq DESC, event.position DESC LIMIT 1), 0),
	coalesce((SELECT max(seq) FROM dead_letter WHERE dead_letter.stream = ref), 0)),
	coalesce((SELECT value FROM value WHERE name = 'asked.' || ref), 0)
FROM stream WHERE ref = ?1 AND next IS NOT NULL
-- name: stream_list
SELECT name, epoch, next, safe, coalesce((SELECT value FROM value WHERE value.name = 'asked.' || stream.ref), 0)
FROM stream JOIN source ON source.ref = stream.source
WHERE stream.ref > ?1 AND next IS NOT NULL ORDER BY stream.ref
-- name: stream_asked
SELECT count(*) FROM value CROSS JOIN stream ON stream.ref = CAST(substr(value.name, 7) AS INTEGER)
WHERE value.name > 'asked.' AND value.name < 'asked/' AND next <= value.value
-- name: stream_put
UPDATE stream SET next = ?2, safe = ?3 WHERE ref = ?1
-- name: gap_put
INSERT INTO source_gap (stream, first, upto, noticed_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING
-- name: stream_event
SELECT position, agency, source_name, id, number, supersedes, type, time_at, received_at, sequence, outbox_seq, epoch,
	ahead, sum, body
FROM event_row WHERE stream = ?1 AND outbox_seq = ?2 AND event_row.position = (
	SELECT position + ?2 - seq FROM outbox_run WHERE stream = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1)
-- name: run_put
REPLACE INTO outbox_run (stream, seq, position) VALUES (?1, ?2, ?3)
-- name: run_split
INSERT INTO outbox_run (stream, seq, position)
SELECT ?1, ?2 + 1, position + ?2 + 1 - seq FROM outbox_run
WHERE stream = ?1 AND seq <= ?2 AND seq >= (?2 + 1) / 512 * 512 ORDER BY seq DESC LIMIT 1
ON CONFLICT (stream, seq) DO NOTHING
-- name: stream_letter
SELECT digest, reason, field, detail FROM dead_letter WHERE stream = ?1 AND seq = ?2 ORDER BY number LIMIT 1
-- name: heard_put
UPDATE source SET heard_at = ?2 WHERE ref = ?1
-- name: heard_get
SELECT heard_at FROM source WHERE ref = ?1 AND heard_at IS NOT NULL
-- name: sequence_last
SELECT max(sequence) FROM event WHERE position > ?2 AND +source = ?1 AND sequence BETWEEN 0 AND ?3
-- name: event_came
SELECT source.name, received_at FROM event JOIN source ON source.ref = event.source WHERE position > ?1 ORDER BY position

-- name: family_get
SELECT family.ref, family.id, wake_at, revision, changed, sum, state, told
FROM family JOIN policy ON policy.ref = family.policy WHERE family.id = ?1
-- name: family_at
SELECT family.ref, family.id, wake_at, revision, changed, sum, state, told
FROM family JOIN policy ON policy.ref = family.policy WHERE family.ref = ?2 AND +family.id = ?1
-- name: family_add
INSERT INTO family (id, wake_at, policy, changed, sum, state, told) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
-- name: family_added
UPDATE agency_case SET family_ref = ?2 WHERE family = ?1
-- name: family_put
UPDATE family SET wake_at = ?2, policy = ?3, changed = ?4, sum = ?5, state = ?6, told = ?7 WHERE ref = ?1
-- name: family_follow
UPDATE family SET changed = ?2, sum = ?3, state = ?4, told = ?5 WHERE ref = ?1
-- name: family_drop
DELETE FROM family WHERE id = ?1
-- name: family_cases
SELECT agency, number FROM agency_case WHERE family = ?1 ORDER BY agency, number
-- name: family_due
SELECT id, wake_at FROM family WHERE wake_at <= ?1 ORDER BY wake_at, id LIMIT ?2
-- name: family_behind
SELECT id, wake_at FROM family WHERE policy < ?1
UNION ALL
SELECT id, wake_at FROM family WHERE policy > ?1
LIMIT ?2
-- name: family_next_wake
SELECT min(wake_at) FROM family WHERE wake_at IS NOT NULL
-- name: family_of_case
SELECT family, family_ref FROM agency_case WHERE ref = ?1 AND family IS NOT NULL
-- name: case_after
SELECT ref, family IS NOT NULL, agency, number FROM agency_case WHERE ref > ?1 ORDER BY ref LIMIT ?2
-- name: case_join
UPDATE agency_case SET family = ?2, family_ref = (SELECT ref FROM family WHERE id = ?2) WHERE ref = ?1

-- name: family_ids
SELECT id FROM family WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: family_policy_next
SELECT min(policy) FROM family WHERE policy > ?1
-- name: family_of_policy
SELECT ref FROM family WHERE policy = ?1 AND ref > ?2 ORDER BY ref LIMIT ?3
-- name: mailbox_depth
SELECT ref, name, next - 1 - received, (SELECT told_at FROM notice
	WHERE serial = serial_of((ref << 32) + received + 1) AND number = (ref << 32) + received + 1)
FROM worker WHERE ref > ?1 AND mailbox IS NOT NULL ORDER BY ref LIMIT ?2

-- name: change_add
INSERT INTO family_change (number, sum, changes) VALUES (?1, ?2, ?3)
-- name: change_last
SELECT max(number) FROM family_change
-- name: change_all
SELECT number, sum, changes FROM family_change ORDER BY number
-- name: change_drop
DELETE FROM family_change WHERE number <= ?1 RETURNING length(changes)
-- name: change_empty
UPDATE family_change SET sum = ?2, changes = ?3 WHERE number = ?1

-- name: dirty_put
INSERT INTO dirty (ref, since) VALUES (?1, ?2) ON CONFLICT DO NOTHING
-- name: dirty_some
SELECT * FROM (SELECT family, NULL FROM dirty_gone ORDER BY family LIMIT ?1) UNION ALL
SELECT * FROM (SELECT id, wake_at FROM dirty JOIN family USING (ref) ORDER BY dirty.since, dirty.ref LIMIT ?1) LIMIT ?1
-- name: dirty_clear
DELETE FROM dirty WHERE ref = (SELECT ref FROM family WHERE id = ?1)
-- name: dirty_all
INSERT INTO dirty (ref, since) SELECT ref, 0 FROM family WHERE true ON CONFLICT (ref) DO UPDATE SET since = 0
-- name: dirty_oldest
SELECT min(since) FROM (SELECT min(since) AS since FROM dirty UNION ALL SELECT min(since) FROM dirty_gone)
-- name: gone_put
INSERT INTO dirty_gone (family, since) VALUES (?1, ?2) ON CONFLICT DO NOTHING
-- name: gone_clear
DELETE FROM dirty_gone WHERE family = ?1

-- name: link_put
INSERT INTO link (one, other, since) VALUES (?1, ?2, ?3), (?2, ?1, ?3)
ON CONFLICT (one, other) DO UPDATE SET since = excluded.since
-- name: link_drop
DELETE FROM link WHERE (one = ?1 AND other = ?2) OR (one = ?2 AND other = ?1)
-- name: link_between
SELECT link.since, back.since IS link.since
FROM link LEFT JOIN link AS back ON back.one = link.other AND back.other = link.one
WHERE link.one = ?1 AND link.other = ?2
-- name: link_of
SELECT agency, number, link.since, back.since IS link.since
FROM link JOIN agency_case ON agency_case.ref = link.other
LEFT JOIN link AS back ON back.one = link.other AND back.other = link.one
WHERE link.one = ?1 ORDER BY agency, number

-- name: token_any
SELECT 1 FROM token WHERE case_ref = ?1 LIMIT 1
-- name: token_drop
DELETE FROM token WHERE case_ref = ?1
-- name: token_put
INSERT INTO token (kind, token, case_ref, since) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO UPDATE SET since = min(since, excluded.since)
-- name: lookalikes
SELECT agency_case.agency, agency_case.number, mine.kind, min(max(mine.since, theirs.since))
FROM token AS mine JOIN token AS theirs ON theirs.kind = mine.kind AND theirs.token = mine.token
JOIN agency_case ON agency_case.ref = theirs.case_ref
WHERE mine.case_ref = ?1 AND theirs.case_ref <> ?1
GROUP BY theirs.case_ref, mine.kind ORDER BY agency_case.agency, agency_case.number, mine.kind

-- name: calendar_drop
DELETE FROM calendar WHERE family = ?1
-- name: calendar_put
INSERT INTO calendar (family, line, worker, meeting, place, start_at, end_at, scheduled_at, agency, kind)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
-- name: calendar_of
SELECT family, meeting, place, start_at, end_at, scheduled_at, agency, kind FROM calendar
WHERE worker = ?1 AND end_at > ?2 ORDER BY start_at, family, line
-- name: calendar_shared
SELECT DISTINCT theirs.family FROM calendar AS mine JOIN calendar AS theirs ON theirs.worker = mine.worker
WHERE mine.family = ?1 AND theirs.family <> ?1 AND theirs.end_at > ?2 ORDER BY theirs.family

-- name: mailbox_get
SELECT mailbox, first, next, received FROM worker WHERE ref = ?1 AND mailbox IS NOT NULL
-- name: mailbox_make
UPDATE worker SET mailbox = ?2 WHERE ref = ?1
-- name: mailbox_next
SELECT next FROM worker WHERE ref = ?1 AND mailbox IS NOT NULL
-- name: mailbox_grow
UPDATE worker SET next = ?2 WHERE ref = ?1
-- name: mailbox_receive
UPDATE worker SET received = max(received, min(?2, next - 1)) WHERE ref = ?1
-- name: notice_last
SELECT max(coalesce((SELECT max(serial) FROM notice WHERE serial < 1099511627776 AND serial >= (
	SELECT max(first) FROM notice_block WHERE first < 1099511627776)), 0), coalesce((SELECT value FROM value WHERE name = 'roll.upto'), 0))
-- name: notice_get
SELECT worker_name, seq, id, rev, marks, own_number, other_number, told_at, sum, body, answered_by, answered_at, ledger
FROM notice_row WHERE serial = ?1 AND number = ?2
-- name: mailbox_row
SELECT ref, first, next, received FROM worker WHERE ref > ?1 AND mailbox IS NOT NULL ORDER BY ref LIMIT 1
-- name: places_after
SELECT serial, number, id FROM notice WHERE serial > ?1 AND serial < 1099511627776 ORDER BY serial LIMIT ?2
-- name: place_id
SELECT id, rev FROM notice WHERE serial = ?1 AND number = ?2
-- name: roll_get
SELECT ids, serials FROM roll WHERE number = ?1
-- name: roll_of
SELECT first, ids, serials FROM worker LEFT JOIN roll ON roll.number = ?1 WHERE worker.ref = ?1 >> 32
-- name: roll_end
SELECT (number & 4294967295) + length(ids) / 3 FROM roll
WHERE number > ?1 << 32 AND number < (?1 + 1) << 32 ORDER BY number DESC LIMIT 1
-- name: roll_put
REPLACE INTO roll (number, ids, serials) VALUES (?1, ?2, ?3)
-- name: apart_get
SELECT rev FROM apart WHERE id = ?1
-- name: apart_count
INSERT INTO value (name, value) SELECT 'apart.n', 1 WHERE NOT EXISTS (SELECT 1 FROM apart WHERE id = ?1)
ON CONFLICT (name) DO UPDATE SET value = value + 1
-- name: apart_put
INSERT INTO apart (id, rev) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET rev = max(rev, excluded.rev)
-- name: answer_get
SELECT worker.name, at FROM answer JOIN worker ON worker.ref = by_worker WHERE notice = ?1
-- name: answer_drop
DELETE FROM answer WHERE notice = ?1
-- name: answer_add
INSERT INTO answer (notice, by_worker, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING
-- name: aged_get
SELECT coalesce(own.agency, -1), own.number, coalesce(other.agency, -1), other.number
FROM aged LEFT JOIN agency_case AS own ON own.ref = own_case LEFT JOIN agency_case AS other ON other.ref = other_case
WHERE notice = ?1 AND worker = ?2
-- name: aged_put
INSERT INTO aged (notice, worker, own_case, other_case)
SELECT id, number >> 32, own_case, other_case FROM notice WHERE serial = serial_of(?1) AND number = ?1
ON CONFLICT (notice) DO UPDATE SET worker = excluded.worker, own_case = excluded.own_case, other_case = excluded.other_case
-- name: aged_drop
DELETE FROM aged WHERE notice = ?1

-- name: phrase_add
INSERT INTO phrase (bytes) VALUES (?1)
-- name: phrase_get
SELECT bytes FROM phrase WHERE ref = ?1
-- name: phrase_last
SELECT ref, bytes FROM phrase WHERE ref > (SELECT max(ref) FROM phrase) - ?1 ORDER BY ref

-- name: ledger_of
SELECT number, at, worker_name, session, first_seq, last_seq, level, basis, seal, chain FROM ledger_row WHERE number IN (
	SELECT number FROM ledger WHERE reader = ?1 AND session IS NOT NULL AND last_seq >= ?2 AND first_seq <= ?2
	UNION ALL
	SELECT ledger FROM notice
	WHERE serial = serial_of((?1 << 32) + ?2) AND notice.number = (?1 << 32) + ?2 AND ledger IS NOT NULL)
ORDER BY number
-- name: ledger_after
SELECT number, at, worker_name, session, first_seq, last_seq, level, basis, seal, chain
FROM ledger_row WHERE number > ?1 ORDER BY number LIMIT ?2
-- name: ledger_tip
SELECT number, chain FROM ledger WHERE number = (SELECT max(number) FROM ledger)
-- name: ledger_chain
SELECT chain FROM ledger WHERE number = ?1
-- name: ledger_take
INSERT OR FAIL INTO ledger (number, at, reader, session, first_seq, last_seq, level, basis, ground, seal, chain)
SELECT number, at, reader, session, first_seq, last_seq, level, basis, ground, seal, chain FROM ledger_waiting
-- name: ledger_ordered_by
SELECT by_row FROM ledger_expunged WHERE number = ?1
-- name: ledger_orders
SELECT by_row, ledger_expunged.number, basis FROM ledger_expunged LEFT JOIN ledger ON ledger.number = by_row
ORDER BY by_row, ledger_expunged.number
-- name: ledger_get
SELECT number, at, worker_name, session, first_seq, last_seq, level, basis, seal, chain
FROM ledger_row WHERE number = ?1 AND reader IS NOT NULL
-- name: ledger_bare
UPDATE ledger SET at = NULL, reader = NULL, session = NULL, first_seq = NULL, last_seq = NULL, level = NULL,
	basis = NULL, ground = NULL, seal = ?2
WHERE number = ?1
-- name: ledger_spell
UPDATE ledger SET seal = ?2 WHERE number = ?1 AND seal IS NULL
-- name: secret_get
SELECT secret FROM ledger_secret WHERE block = ?1
-- name: secret_add
INSERT INTO ledger_secret (block, secret) VALUES (?1, ?2)
-- name: secret_drop
DELETE FROM ledger_secret WHERE block = ?1
-- name: ledger_order_add
INSERT INTO ledger_expunged (by_row, number) VALUES (?1, ?2)

-- name: value_get
SELECT value FROM value WHERE name = ?1
-- name: value_put
INSERT INTO value (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value
-- name: count_all
SELECT (SELECT max(position) FROM event), (SELECT max(number) FROM dead_letter),
	(SELECT max(ref) FROM agency_case), (SELECT max(ref) FROM worker), (SELECT sum(next - 1) FROM worker),
	(SELECT max(number) FROM ledger)

-- name: check_events
SELECT position, position, agency, source.name, id, number, supersedes, type, received_at - lag, received_at, sequence,
	outbox_seq, epoch, ahead, sum, body
FROM event LEFT JOIN source ON source.ref = event.source LEFT JOIN agency_case ON agency_case.ref = event.case_ref
LEFT JOIN stream ON stream.ref = event.stream
WHERE position > ?1 ORDER BY position LIMIT ?2
-- name: check_letters
SELECT number, number, dead_letter.source, seq, epoch, received_at, reason, field, detail, position, sum, body
FROM dead_letter LEFT JOIN stream ON stream.ref = dead_letter.stream
WHERE number > ?1 ORDER BY number LIMIT ?2
-- name: check_notices
SELECT n.serial, worker.name, n.number & 4294967295, id, rev, marks, own.number, other.number, told_at, sum, body,
	answerer.name, answer.at, ledger
FROM notice AS n LEFT JOIN worker ON worker.ref = n.number >> 32
LEFT JOIN agency_case AS own ON own.ref = n.own_case LEFT JOIN agency_case AS other ON other.ref = n.other_case
LEFT JOIN answer ON answer.notice = n.id LEFT JOIN worker AS answerer ON answerer.ref = answer.by_worker
WHERE n.serial > ?1 ORDER BY n.serial LIMIT ?2
-- name: check_families
SELECT family.ref, family.ref, id, wake_at, revision, changed, sum, state, told
FROM family LEFT JOIN policy ON policy.ref = family.policy
WHERE family.ref > ?1 ORDER BY family.ref LIMIT ?2
-- name: check_wakes
SELECT ref, EXISTS (SELECT 1 FROM family AS found WHERE found.id = family.id AND +found.ref = family.ref),
	wake_at IS NULL OR EXISTS (SELECT 1 FROM family AS found INDEXED BY family_wake
		WHERE found.wake_at = family.wake_at AND found.id = family.id),
	EXISTS (SELECT 1 FROM family AS found INDEXED BY family_policy
		WHERE found.policy = family.policy AND found.ref = family.ref)
FROM family WHERE ref > ?1 ORDER BY ref LIMIT ?2
-- name: check_changes
SELECT number, number, sum, changes FROM family_change WHERE number > ?1 ORDER BY number LIMIT ?2
-- name: check_last
SELECT coalesce((SELECT max(position) FROM event), 0), coalesce((SELECT max(number) FROM dead_letter), 0),
	coalesce((SELECT sum(next - first) FROM worker), 0), coalesce((SELECT max(ref) FROM family), 0),
	coalesce((SELECT max(ref) FROM family), 0), coalesce((SELECT max(number) FROM family_change), 0), coalesce((SELECT max(ref) FROM worker), 0),
	coalesce((SELECT sum(next - first) FROM worker), 0), coalesce((SELECT max(ref) FROM agency_case), 0),
	coalesce((SELECT max(ref) FROM agency_case), 0),
	coalesce((SELECT max(position) FROM event), 0), coalesce((SELECT max(ref) FROM stream), 0),
	coalesce((SELECT max(ref) FROM agency_case), 0)
-- name: check_mailboxes
SELECT ref, next = first OR (
	EXISTS (SELECT 1 FROM notice WHERE serial = serial_of((ref << 32) + first) AND number = (ref << 32) + first)
	AND EXISTS (SELECT 1 FROM notice WHERE serial = serial_of((ref << 32) + next - 1) AND number = (ref << 32) + next - 1)),
	serial_of((ref << 32) + next) IS NULL
		AND NOT EXISTS (SELECT 1 FROM roll WHERE number > (ref << 32) + next AND number < (ref + 1) << 32),
	EXISTS (SELECT 1 FROM worker AS found WHERE found.name = worker.name AND +found.ref = worker.ref)
FROM worker WHERE ref > ?1 ORDER BY ref LIMIT ?2
-- name: check_places
SELECT n.serial, n.number & 4294967295 >= first AND n.number & 4294967295 < next AND (n.number & 4294967295 = first
		OR EXISTS (SELECT 1 FROM notice WHERE notice.serial = serial_of(n.number - 1) AND notice.number = n.number - 1)),
	serial_of(n.number) = n.serial AND (n.serial > coalesce((SELECT value FROM value WHERE value.name = 'roll.upto'), 0)
		OR EXISTS (SELECT 1 FROM roll WHERE roll.number = ((n.number - 1) & -64) + 1
			AND substr(ids, (n.number - 1 & 63) * 3 + 1, 3) = substr(id, 1, 3))),
	NOT EXISTS (SELECT 1 FROM apart WHERE apart.id = n.id AND apart.rev < n.rev)
FROM notice AS n LEFT JOIN worker ON worker.ref = n.number >> 32 WHERE n.serial > ?1 ORDER BY n.serial LIMIT ?2
-- name: check_case_rows
SELECT ref, family IS NULL OR EXISTS (SELECT 1 FROM family WHERE family.id = agency_case.family),
	NOT EXISTS (SELECT 1 FROM event_case AS listed WHERE listed.case_ref = agency_case.ref
		AND listed.position <= (SELECT value FROM value WHERE name = 'event_case.upto')
		AND NOT EXISTS (SELECT 1 FROM event WHERE event.position = listed.position)),
	EXISTS (SELECT 1 FROM agency_case AS found
		WHERE found.agency = agency_case.agency AND found.number = agency_case.number AND +found.ref = agency_case.ref),
	family IS NULL OR EXISTS (SELECT 1 FROM agency_case AS found INDEXED BY agency_case_family
		WHERE found.family = agency_case.family AND found.ref = agency_case.ref),
	family_ref IS NULL OR EXISTS (SELECT 1 FROM family WHERE family.ref = family_ref AND +family.id = agency_case.family)
FROM agency_case WHERE ref > ?1 ORDER BY ref LIMIT ?2
-- name: check_links
SELECT ref, NOT EXISTS (SELECT 1 FROM link LEFT JOIN link AS back ON back.one = link.other AND back.other = link.one
		WHERE link.one = agency_case.ref AND back.since IS NOT link.since),
	EXISTS (SELECT 1 FROM link WHERE one = agency_case.ref AND since < 9223372036854775807)
		OR coalesce((SELECT value FROM value WHERE name = 'links.by'), 0) = -1
		OR NOT EXISTS (SELECT 1 FROM agency_case AS kin WHERE kin.family = agency_case.family AND kin.ref <> agency_case.ref),
	NOT EXISTS (SELECT 1 FROM token AS carried INDEXED BY token_case WHERE carried.case_ref = agency_case.ref
		AND NOT EXISTS (SELECT 1 FROM token WHERE token.kind = carried.kind AND token.token = carried.token
			AND token.case_ref = carried.case_ref))
FROM agency_case WHERE ref > ?1 ORDER BY ref LIMIT ?2

-- name: check_event_places
SELECT position, position - 1 <= coalesce((SELECT value FROM value WHERE name = 'struck_upto'), 0)
	OR EXISTS (SELECT 1 FROM event AS before WHERE before.position = event.position - 1),
	stream IS NULL OR EXISTS (SELECT 1 FROM stream AS found WHERE found.ref = event.stream),
	stream IS NULL OR position = (SELECT run.position + outbox_seq - seq FROM outbox_run AS run
		WHERE run.stream = event.stream AND seq <= outbox_seq ORDER BY seq DESC LIMIT 1),
	EXISTS (SELECT 1 FROM event AS found
		WHERE found.source = event.source AND found.id = event.id AND +found.position = event.position),
	supersedes IS NULL OR EXISTS (SELECT 1 FROM event AS found INDEXED BY event_supersedes
		WHERE found.source = event.source AND found.supersedes = event.supersedes AND +found.position = event.position),
	ahead = 0 OR EXISTS (SELECT 1 FROM event AS found INDEXED BY event_ahead
		WHERE found.ahead = 1 AND found.received_at - found.lag = event.received_at - event.lag AND +found.position = event.position),
	position > coalesce((SELECT value FROM value WHERE name = 'event_case.upto'), 0)
		OR EXISTS (SELECT 1 FROM event_case AS listed WHERE listed.case_ref = event.case_ref AND listed.position = event.position)
FROM event WHERE position > ?1 ORDER BY position LIMIT ?2

-- name: check_streams
SELECT ref, next IS NULL OR NOT EXISTS (SELECT 1 FROM event WHERE stream = stream_row.ref AND outbox_seq >= next
	AND position > coalesce((SELECT value FROM value WHERE name = 'struck_upto'), 0)
	AND position = (SELECT event.position FROM outbox_run AS run
		CROSS JOIN event ON event.position >= run.position AND event.position < run.position + 512 - run.seq % 512
		WHERE run.stream = stream_row.ref AND event.stream = stream_row.ref AND outbox_seq - seq = event.position - run.position
		ORDER BY seq DESC, event.position DESC LIMIT 1))
FROM stream AS stream_row WHERE ref > ?1 ORDER BY ref LIMIT ?2
-- name: check_tokens
SELECT kind, token, min(EXISTS (SELECT 1 FROM token AS found INDEXED BY token_case
	WHERE found.case_ref = token.case_ref AND found.kind = token.kind AND found.token = token.token))
FROM token WHERE (kind, token) > (?1, ?2) GROUP BY kind, token ORDER BY kind, token LIMIT 1000 * ?3

-- name: check_start
WITH RECURSIVE said(ref) AS (SELECT min(source) FROM event UNION ALL
	SELECT (SELECT min(source) FROM event WHERE source > said.ref) FROM said WHERE said.ref IS NOT NULL)
SELECT (SELECT coalesce(max(ref), 0) - count(*) FROM worker) <> coalesce((SELECT value FROM value WHERE name = 'workers.lost'), 0)
	OR max(?1, coalesce((SELECT max(number) FROM roll), 0)) >> 32 > coalesce((SELECT max(ref) FROM worker), 0)
	OR (SELECT count(*) FROM apart) <> coalesce((SELECT value FROM value WHERE name = 'apart.n'), 0)
	OR EXISTS (SELECT 1 FROM said WHERE said.ref IS NOT NULL AND NOT EXISTS (SELECT 1 FROM source WHERE source.ref = said.ref))
-- name: check_cases
SELECT position FROM event WHERE position <= (SELECT value FROM value WHERE name = 'event_case.upto')
	AND NOT EXISTS (SELECT 1 FROM event_case WHERE case_ref = event.case_ref AND event_case.position = event.position)
LIMIT 1

-- name: backup_add
INSERT INTO backup (made_at, position, ledger) VALUES (?1, ?2, ?3)
-- name: backup_streams
INSERT INTO backup_stream (backup, stream, upto) SELECT ?1, ref, next - 1 FROM stream WHERE next > 1
-- name: backup_verified
UPDATE backup SET place = ?2, verified_at = ?3 WHERE number = ?1 RETURNING number >= (SELECT max(number) FROM backup)
-- name: backup_safe
UPDATE stream SET safe = max(safe, (SELECT upto FROM backup_stream WHERE backup = ?1 AND stream = ref))
WHERE ref IN (SELECT stream FROM backup_stream WHERE backup = ?1)
-- name: backup_list
SELECT number, made_at, position, ledger, place, verified_at FROM backup WHERE number > ?1 ORDER BY number
-- name: backup_drop_streams
DELETE FROM backup_stream WHERE backup = ?1
-- name: backup_drop
DELETE FROM backup WHERE number = ?1 RETURNING ?1 >= coalesce((SELECT max(number) FROM backup), 0)

-- name: identity_renew
UPDATE identity SET store = ?1 WHERE one = 1
-- name: lags_renew
REPLACE INTO value (name, value) SELECT 'lag.' || ref, ?1 FROM stream
-- name: mailbox_names
SELECT name FROM worker WHERE mailbox IS NOT NULL
-- name: mailbox_rename
UPDATE worker SET mailbox = ?2 WHERE ref = ?1

-- name: trace_events
SELECT position, agency, number, source_name, id, type, time_at, supersedes, body
FROM event_row WHERE position > ?1 ORDER BY position LIMIT ?2
-- name: trace_notices
SELECT serial, n.number, own.agency, own.number, other.agency, other.number
FROM notice AS n LEFT JOIN agency_case AS own ON own.ref = own_case LEFT JOIN agency_case AS other ON other.ref = other_case
WHERE serial > ?1 ORDER BY serial LIMIT ?2
-- name: trace_letters
SELECT number, body FROM dead_letter WHERE number > ?1 ORDER BY number LIMIT ?2
-- name: trace_asked
SELECT number, basis, CASE first_seq WHEN 0 THEN NOT EXISTS (SELECT 1 FROM ledger_expunged WHERE by_row = ledger_row.number)
	ELSE session IS NULL AND NOT EXISTS (SELECT 1 FROM notice
		WHERE notice.serial = serial_of((reader << 32) + first_seq) AND notice.ledger = ledger_row.number) END
FROM ledger_row WHERE number > ?1 AND reader IS NOT NULL ORDER BY number LIMIT ?2
-- name: notice_bodies
SELECT body FROM notice
-- name: strike_event
DELETE FROM event WHERE position = ?1
-- name: strike_case
DELETE FROM agency_case WHERE ref = ?1
-- name: strike_links
DELETE FROM link WHERE one = ?1
-- name: strike_links_back
DELETE FROM link WHERE other = ?1 AND one IN (SELECT other FROM link WHERE one = ?1)
-- name: strike_ledger_of
SELECT ledger FROM notice WHERE serial = serial_of(?1) AND number = ?1
-- name: strike_notice
UPDATE notice SET marks = ?2, own_case = NULL, other_case = NULL, ledger = NULL, sum = ?3, body = ?4
WHERE serial = serial_of(?1) AND number = ?1
-- name: strike_get_letter
SELECT number, dead_letter.source, seq, epoch, received_at, reason, field, detail, position, sum, body
FROM dead_letter LEFT JOIN stream ON stream.ref = dead_letter.stream WHERE number = ?1
-- name: strike_letter
UPDATE dead_letter SET digest = zeroblob(16), sum = ?2, body = x'' WHERE number = ?1

-- name: hold_put
INSERT INTO hold (agency, number, reason, at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (agency, number) DO UPDATE SET reason = excluded.reason, at = excluded.at
-- name: hold_drop
DELETE FROM hold WHERE agency = ?1 AND number = ?2 RETURNING 1
-- name: hold_get
SELECT 1 FROM hold WHERE agency = ?1 AND number = ?2
-- name: hold_list
SELECT agency, number, reason, at FROM hold ORDER BY agency, number

-- name: family_after
SELECT id, wake_at FROM family WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: dirty_get
SELECT 1 FROM dirty WHERE ref = (SELECT ref FROM family WHERE id = ?1) UNION ALL SELECT 1 FROM dirty_gone WHERE family = ?1

-- name: safe_stream
SELECT ref, next, safe FROM stream WHERE ref > ?1 AND next > safe + 1 ORDER BY ref LIMIT 1
-- name: safe_rows
SELECT outbox_seq, event.position, received_at FROM outbox_run AS run
CROSS JOIN event ON event.position >= run.position AND event.position < run.position - run.seq + min(
	run.seq - run.seq % 512 + 512, coalesce((SELECT min(seq) FROM outbox_run WHERE stream = ?1 AND seq > run.seq), ?3))
WHERE run.stream = ?1 AND run.seq < ?3 AND event.stream = ?1 AND outbox_seq > ?2 AND outbox_seq < ?3
	AND run.seq >= coalesce((SELECT max(seq) FROM outbox_run WHERE stream = ?1 AND seq <= ?2 + 1), 0)
	AND outbox_seq - seq = event.position - run.position
ORDER BY seq, event.position LIMIT ?4
-- name: safe_put
UPDATE stream SET safe = max(safe, ?2) WHERE ref = ?1

-- name: damage_add
INSERT INTO damage (what, noticed_at) VALUES (?1, ?2)
-- name: damage_last
SELECT max(number) FROM damage
-- name: damage_after
SELECT number, what, noticed_at FROM damage WHERE number > ?1 ORDER BY number LIMIT ?2
-- name: mend_event
DELETE FROM event WHERE position = ?1
-- name: mend_cases_clear
DELETE FROM event_case
-- name: mend_letter
DELETE FROM dead_letter WHERE number = ?1
-- name: mend_notice
DELETE FROM notice WHERE serial = ?1
-- name: mend_answer
INSERT INTO aged (notice, worker, own_case, other_case) SELECT id, number >> 32, own_case, other_case FROM notice
WHERE serial = ?1 AND typeof(id) = 'blob' AND length(id) = 16 AND typeof(own_case) IN ('null', 'integer')
	AND typeof(other_case) IN ('null', 'integer') AND NOT EXISTS (SELECT 1 FROM answer WHERE answer.notice = notice.id)
ON CONFLICT DO NOTHING
-- name: mend_family
SELECT id, told FROM family WHERE ref = ?1
-- name: mend_lost_family
SELECT family FROM agency_case
WHERE ref = ?1 AND family IS NOT NULL AND NOT EXISTS (SELECT 1 FROM family WHERE family.id = agency_case.family)
-- name: mend_case
UPDATE agency_case SET family_ref = (SELECT ref FROM family WHERE id = agency_case.family) WHERE ref = ?1
-- name: mend_links
DELETE FROM link WHERE one = ?1 AND NOT EXISTS (SELECT 1 FROM link AS back
	WHERE back.one = link.other AND back.other = link.one AND back.since = link.since)
-- name: mend_tokens
DELETE FROM token
-- name: mend_drop_dirty
DELETE FROM dirty WHERE ref = ?1
-- name: mend_drop_family
DELETE FROM family WHERE ref = ?1
-- name: mend_outboxes_gone
DELETE FROM value WHERE (name > 'asked.' AND name < 'asked/' OR name > 'lag.' AND name < 'lag/')
	AND CAST(substr(name, instr(name, '.') + 1) AS INTEGER) NOT IN (SELECT ref FROM stream)
-- name: mend_asked
INSERT INTO value (name, value) SELECT 'asked.' || ref, next - 1 FROM stream WHERE next > safe + 1
ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)
-- name: mend_streams
UPDATE stream SET next = safe + 1 WHERE next > safe + 1
-- name: mend_places
UPDATE event SET stream = NULL, outbox_seq = NULL
WHERE stream IS NOT NULL AND NOT EXISTS (SELECT 1 FROM stream WHERE stream.ref = event.stream)
-- name: mend_apart
UPDATE apart SET rev = max(rev, (SELECT rev FROM notice WHERE serial = ?1)) WHERE id = (SELECT id FROM notice WHERE serial = ?1)
-- name: mend_aparts
INSERT INTO apart (id, rev) SELECT id, max(rev) FROM notice
WHERE (SELECT count(*) FROM apart) <> coalesce((SELECT value FROM value WHERE name = 'apart.n'), 0) GROUP BY id
ON CONFLICT (id) DO UPDATE SET rev = max(rev, excluded.rev)
-- name: mend_apart_count
INSERT INTO value (name, value) SELECT 'apart.n', count(*) FROM apart WHERE 1
ON CONFLICT (name) DO UPDATE SET value = excluded.value
-- name: mend_workers
INSERT INTO value (name, value) SELECT 'workers.lost', coalesce(max(ref), 0) - count(*) FROM worker WHERE 1
ON CONFLICT (name) DO UPDATE SET value = excluded.value
-- name: mend_runs_clear
DELETE FROM outbox_run
-- name: mend_runs
SELECT position, stream, outbox_seq FROM event WHERE stream IS NOT NULL ORDER BY position
-- name: mend_now
SELECT max(at) FROM (SELECT value AS at FROM value WHERE name = 'now'
	UNION ALL SELECT received_at FROM event WHERE position = (SELECT max(position) FROM event))
-- name: mend_rolls
DELETE FROM roll
-- name: mend_strays
DELETE FROM notice WHERE serial_of(number) IS NOT serial
-- name: mend_mailbox_ends
UPDATE worker SET next = max(next, coalesce((SELECT (number & 4294967295) + length(ids) / 3 FROM roll
	WHERE number > ref << 32 AND number < (ref + 1) << 32 ORDER BY number DESC LIMIT 1), 1))
-- name: worker_name
SELECT name FROM worker WHERE ref = ?1

-- name: prune_front
SELECT n.id, n.marks >> 12 & 1 = 0 AND n.marks >> 8 & 3 <> 2, answer.by_worker = ?1,
	n.marks >> 8 & 3 = 2, answer.by_worker IS NULL
FROM notice AS n LEFT JOIN answer ON answer.notice = n.id
LEFT JOIN agency_case AS own ON own.ref = n.own_case LEFT JOIN agency_case AS other ON other.ref = n.other_case
WHERE n.serial = serial_of(?2) AND n.number = ?2 AND n.told_at < ?3
	AND NOT EXISTS (SELECT 1 FROM hold WHERE hold.agency = own.agency AND hold.number = own.number)
	AND NOT EXISTS (SELECT 1 FROM hold WHERE hold.agency = other.agency AND hold.number = other.number)
-- name: prune_rolls
DELETE FROM roll WHERE number > ?1 - 64 AND number <= ?2 - 64
-- name: prune_notice
DELETE FROM notice WHERE serial = serial_of(?1) AND number = ?1
-- name: prune_first
UPDATE worker SET first = ?2 WHERE ref = ?1
-- name: prune_letters
WITH front AS MATERIALIZED (SELECT number, received_at FROM dead_letter ORDER BY number LIMIT ?2)
DELETE FROM dead_letter WHERE number IN (SELECT number FROM front)
	AND number < coalesce((SELECT min(number) FROM front WHERE received_at >= ?1), 9223372036854775807)

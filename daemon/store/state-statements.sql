-- state-statements.sql - every statement on state.db, by name; prepared once, when the store is opened.

-- name: state_begin
BEGIN IMMEDIATE
-- name: state_commit
COMMIT
-- name: state_rollback
ROLLBACK
-- name: standing_get
SELECT fillings FROM standing WHERE one = 1
-- name: standing_put
INSERT INTO standing (one, store, position, fillings) VALUES (1, ?1, ?2, ?3)
ON CONFLICT (one) DO UPDATE SET position = excluded.position, fillings = excluded.fillings

-- name: drop_case
DELETE FROM kept_case WHERE family = ?1
-- name: put_case
INSERT INTO kept_case (family, line, agency, number, unit, is_open, limited_access, status, status_at,
	status_until, opened_at, closed_at, closing_on, contact_at, visited_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)

-- name: drop_episode
DELETE FROM kept_episode WHERE family = ?1
-- name: put_episode
INSERT INTO kept_episode (family, line, unit, episode, is_mutual, begun_at, ended_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)

-- name: drop_assignment
DELETE FROM kept_assignment WHERE family = ?1
-- name: put_assignment
INSERT INTO kept_assignment (family, line, case_line, role, worker, name, phone, from_at, until_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)

-- name: drop_link
DELETE FROM kept_link WHERE family = ?1
-- name: put_link
INSERT INTO kept_link (family, line, agency, number, other_agency, other_number, since_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)

-- name: drop_consent
DELETE FROM kept_consent WHERE family = ?1
-- name: put_consent
INSERT INTO kept_consent (family, line, case_line, consent, in_force, topics, signed_at, expires_on)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)

-- name: drop_plan
DELETE FROM kept_plan WHERE family = ?1
-- name: put_plan
INSERT INTO kept_plan (family, line, case_line, plan, kind, signed_at, closing_on, has_ended)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)

-- name: drop_service
DELETE FROM kept_service WHERE family = ?1
-- name: put_service
INSERT INTO kept_service (family, line, case_line, service, category, is_running, started_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)

-- name: drop_meeting
DELETE FROM kept_meeting WHERE family = ?1
-- name: put_meeting
INSERT INTO kept_meeting (family, line, case_line, meeting, kind, state, start_at, end_at, place, organizer,
	needs_family, held_at, with_family)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)

-- name: drop_meeting_worker
DELETE FROM kept_meeting_worker WHERE family = ?1
-- name: put_meeting_worker
INSERT INTO kept_meeting_worker (family, line, meeting_line, worker, is_required)
VALUES (?1, ?2, ?3, ?4, ?5)

-- name: drop_concern
DELETE FROM kept_concern WHERE family = ?1
-- name: put_concern
INSERT INTO kept_concern (family, line, case_line, concern, kind, is_resolved, raised_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)

-- name: drop_referral
DELETE FROM kept_referral WHERE family = ?1
-- name: put_referral
INSERT INTO kept_referral (family, line, case_line, referral, category, made_to, status, is_urgent, made_at,
	follow_up_on)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)

-- name: drop_clock
DELETE FROM kept_clock WHERE family = ?1
-- name: put_clock
INSERT INTO kept_clock (family, line, case_line, clock, used)
VALUES (?1, ?2, ?3, ?4, ?5)

-- name: drop_removal
DELETE FROM kept_removal WHERE family = ?1
-- name: put_removal
INSERT INTO kept_removal (family, line, case_line, person, has_returned, removed_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)

-- name: drop_history
DELETE FROM kept_history WHERE family = ?1
-- name: deed_add
INSERT INTO kept_deed (type, code) VALUES (?1, ?2) ON CONFLICT DO NOTHING
-- name: put_history
INSERT INTO kept_history (family, line, deed, case_line, at, known_at, ref, on_date)
VALUES (?1, ?2, (SELECT ref FROM kept_deed WHERE type = ?3 AND code = ?4), ?5, ?6, ?7,
	?8, ?9)

-- name: put_family
INSERT INTO kept_family (family) VALUES (?1)
-- name: has_family
SELECT ref FROM kept_family WHERE family = ?1
-- name: drop_family
DELETE FROM kept_family WHERE ref = ?1
-- name: drop_families
DELETE FROM kept_family
-- name: manner_get
SELECT ref FROM kept_manner WHERE kind = ?1 AND level = ?2 AND own_agency IS ?3 AND is_standing = ?4
-- name: manner_add
INSERT INTO kept_manner (kind, level, own_agency, is_standing) VALUES (?1, ?2, ?3, ?4)
-- name: drop_told
DELETE FROM kept_told WHERE family = ?1
-- name: put_told
INSERT INTO kept_told (family, line, manner, own, other, told_at, answered_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)

-- name: projected_after
SELECT family FROM kept_family WHERE family > ?1 ORDER BY family LIMIT ?2

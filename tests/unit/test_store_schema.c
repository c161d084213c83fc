/* test_store_schema.c - tables and statements of both files, their versions, and state.db as others read it.
 *
 * In: stores of every old version, and families. Out: tables that say what they hold. Promise: an old file is brought up to
 * date; no statement reads a whole table unless it is listed; state.db never says what was not committed.
 */
#include "place.h"

#include "engine/family.h"

#include <sys/stat.h>

/* ---- Versions, tables, statements ------------------------------------------------------------ */
/* sqlite_schema as one text, of a file or of what a script makes. */
static char *schema_of(sqlite3 *db)
{
	sqlite3_stmt *statement;
	size_t room = 1 << 17, len = 0;
	char *text = calloc(1, room);

	assert_int_equal(sqlite3_prepare_v2(db, "SELECT name, sql FROM sqlite_schema ORDER BY name",
					    -1, &statement, NULL),
			 SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		const unsigned char *sql = sqlite3_column_text(statement, 1);

		len += (size_t)snprintf(text + len, room - len, "%s\n%s\n",
					sqlite3_column_text(statement, 0),
					sql != NULL ? (const char *)sql : "");
		assert_true(len < room);
	}
	(void)sqlite3_finalize(statement);
	return text;
}

static sqlite3 *db_from(const char *script)
{
	char *sql = file_read(script), *why = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", script, why);
	free(sql);
	return db;
}

static void the_published_schemas_are_those_of_a_new_store(void **state)
{
	static const struct {
		const char *file, *published;
	} pairs[] = { { "linkages.db", TEST_ROOT "/schemas/store.sql" },
		      { "state.db", TEST_ROOT "/schemas/state.sql" } };
	struct place *place = *state;

	place_close(place);
	for (size_t i = 0; i < 2; i++) {
		sqlite3 *made = db_from(pairs[i].published), *found;
		char *want = schema_of(made), *got;

		assert_int_equal(sqlite3_open(path_in(place, pairs[i].file), &found), SQLITE_OK);
		got = schema_of(found);
		assert_string_equal(want, got);
		free(want);
		free(got);
		(void)sqlite3_close(made);
		(void)sqlite3_close(found);
	}
}

/* A file of every version that was ever released opens, and has the schema of a new one
 * afterwards. */
static void every_old_version_is_brought_up_to_date(void **state)
{
	static const char *const versions[] = { TEST_ROOT "/daemon/store/linkages-1.sql",
						TEST_ROOT "/daemon/store/linkages-2.sql" };
	struct place *place = *state;
	sqlite3 *db;

	place_close(place);
	const int64_t present =
		sizeof(versions) / sizeof(versions[0]); /* a new one is listed above */

	assert_int_equal(ask(place, "linkages.db", "PRAGMA user_version"), present);
	for (int64_t version = 1; version <= present; version++) {
		char mark[200];

		assert_int_equal(unlink(path_in(place, "linkages.db")), 0);
		assert_int_equal(sqlite3_open(path_in(place, "linkages.db"), &db), SQLITE_OK);
		for (int64_t v = 0; v < version; v++) {
			char *sql = file_read(versions[v]);

			assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
			free(sql);
		}
		(void)snprintf(mark, sizeof(mark),
			       "PRAGMA application_id = 0x4c4b4442; PRAGMA user_version = %d",
			       (int)version);
		assert_int_equal(sqlite3_exec(db, mark, NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_close(db), SQLITE_OK);
		GOOD(place_open(place));
		put_one_of_each(place->store);
		place_close(place);
		assert_int_equal(ask(place, "linkages.db", "PRAGMA user_version"), present);
	}
}

static void every_column_is_commented(void **state)
{
	static const char *const files[] = { TEST_ROOT "/daemon/store/linkages-1.sql",
					     TEST_ROOT "/daemon/store/linkages-2.sql",
					     TEST_ROOT "/daemon/store/state.sql" };
	int columns = 0;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char *sql = file_read(files[i]), *rest = sql, *line;
		bool inside = false;

		while ((line = strtok_r(rest, "\n", &rest)) != NULL) {
			inside = strncmp(line, "CREATE TABLE", 12) == 0 ||
				 (inside && line[0] == '\t');
			if (!inside || line[0] != '\t' || line[1] < 'a' || line[1] > 'z')
				continue;
			columns++;
			if (strstr(line, " -- ") == NULL)
				fail_msg("%s: no comment: %s", files[i], line);
		}
		free(sql);
	}
	assert_true(columns > 100);
}

/* Statements that read a whole table on purpose, and why. */
static const char *const whole_tables[] = {
	"mend_asked",
	"mend_outboxes_gone",
	"mend_streams",
	"mend_mailbox_ends",
	"mend_runs",
	"mend_tokens",
	"mend_rolls",
	"mend_strays",   /* a rebuild reads everything */
	"prune_letters", /* in order of arrival, up to the limit */
	"hold_list",     /* a few rows, all of which are asked for */
	"backup_list",
	"backup_streams",
	"check_start", /* as many rows as there are workers, its own steps from source to source, and names told apart */
	"mend_aparts",
	"mend_apart_count",
	"mend_workers",
	"mend_places",
	"mailbox_names", /* a few rows, all of which are asked for */
	"lags_renew",    /* likewise: a row for each outbox */
	"count_all",     /* of workers only */
	"check_last",    /* likewise */
	"ledger_take",   /* what waits in memory, to be taken */
	"event_take",    /* likewise */
	"dirty_all",     /* state.db is filled anew */
	"change_all",    /* a start reads all that is there, and bounds how much it is */
	"dirty_some", /* what waits, in order of waiting: the walk is the question, and has a limit */
	"notice_bodies", /* looked through on an order, which is rare, and for which everybody waits */
	"ledger_orders",          /* all that orders took away, against what they say */
	"letter_after",           /* likewise */
	"event_superseded_count", /* at open, of the few events that supersede others */
	"event_superseders",      /* likewise */
};

static bool may_scan(const char *name)
{
	for (size_t i = 0; i < sizeof(whole_tables) / sizeof(whole_tables[0]); i++)
		if (strcmp(whole_tables[i], name) == 0)
			return true;
	return false;
}

/* Plans as SQLite words them: SCAN reads all of a table or index, but of notices only by way 0 (notice_table.c); what is
 * sorted by its last column only is read as far as the first ones are the same, and a hundred thousand families may wake at
 * one midnight. */
static bool reads_all(const char *plan)
{
	if (strncmp(plan, "SCAN", 4) == 0)
		return strstr(plan, "CONSTANT ROW") == NULL &&
		       (strstr(plan, "VIRTUAL TABLE") == NULL || strstr(plan, "INDEX 0:") != NULL);
	return strstr(plan, "RIGHT PART OF ORDER BY") != NULL;
}

static bool scans(sqlite3 *db, const char *sql)
{
	char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
	sqlite3_stmt *statement;
	bool found = false;

	if (sqlite3_prepare_v2(db, explain, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	while (sqlite3_step(statement) == SQLITE_ROW)
		found |= reads_all((const char *)sqlite3_column_text(statement, 3));
	(void)sqlite3_finalize(statement);
	sqlite3_free(explain);
	return found;
}

/* A table that the store makes of what is in its memory. */
static const char waiting_tables[] =
	"CREATE TABLE ledger_waiting (number, at, reader, session, first_seq, last_seq, level, basis, ground, seal, chain);"
	"CREATE TABLE event_waiting (position, source, id, case_ref, type, supersedes, received_at, lag, sequence, stream,"
	" outbox_seq, ahead, sum, body)";

/* Where a notice is, the store knows: store/roll.c. */
static void some_serial(sqlite3_context *to, int argc, sqlite3_value **argv)
{
	(void)argc;
	sqlite3_result_value(to, argv[0]);
}

static int statements_that_scan(const char *schema, const char *statements, bool complain)
{
	sqlite3 *db = db_from(schema);
	char *sql = file_read(statements), *piece = strstr(sql, "-- name: ");
	int n = 0;

	assert_int_equal(sqlite3_exec(db, waiting_tables, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(notice_table_declare(db), SQLITE_OK);
	assert_int_equal(sqlite3_create_function(db, "serial_of", 1, SQLITE_UTF8, NULL, some_serial,
						 NULL, NULL),
			 SQLITE_OK);
	while (piece != NULL) {
		char *name = piece + strlen("-- name: "), *end = strchr(name, '\n');
		char *next = strstr(end, "-- name: ");

		*end = '\0';
		if (next != NULL)
			next[-1] = '\0';
		if (scans(db, end + 1) && !may_scan(name)) {
			n++;
			if (complain)
				fail_msg("%s reads a whole table", name);
		}
		piece = next;
	}
	free(sql);
	(void)sqlite3_close(db);
	return n;
}

static void no_statement_reads_a_whole_table(void **state)
{
	struct place *place = *state;

	statements_that_scan(TEST_ROOT "/schemas/store.sql",
			     TEST_ROOT "/daemon/store/statements.sql", true);
	statements_that_scan(TEST_ROOT "/daemon/store/state.sql",
			     TEST_ROOT "/daemon/store/state-statements.sql", true);
	/* The offence that this test is for. */
	file_write(
		path_in(place, "offence.sql"),
		"-- name: offence\nSELECT 1 FROM event WHERE received_at = ?1\n"
		"-- name: another\nSELECT id FROM event WHERE ahead = 1 ORDER BY received_at - lag, id\n");
	assert_int_equal(statements_that_scan(TEST_ROOT "/schemas/store.sql",
					      path_in(place, "offence.sql"), false),
			 2);
}

/* ---- state.db -------------------------------------------------------------------------------- */
static void a_mutual_family(struct family *f)
{
	family_init(f);
	struct kin *u = family_add_kin(f);
	u->joined_to = NONE;
	u->mutual = 1;
	u->episode = 1;
	u->episode_at = 86400 * LK_SECOND;
	u->ended_at = u->pltm_at = LK_NO_INSTANT;
	for (int agency = 0; agency < 2; agency++) {
		struct word number =
			family_word(f, agency == LK_CWS ? CWS_CASE.number : AID_CASE.number);
		struct kase *k = family_add_kase(f);

		k->number = number;
		k->agency = agency;
		k->open = 1;
		k->status = agency == LK_CWS ? LK_IFS : LK_SANCTIONED;
		k->status_at = 1500 * LK_SECOND / 1000;
		k->opened_at = k->first_opened_at = 0;
		k->closed_at = k->visited_at = k->contact_at = k->closing_at = LK_NO_INSTANT;
		k->status_until = LK_NO_DATE;
		k->closing_on = lk_date_of(2026, 3, 1);
		k->clock_used = agency == LK_CWS ? -1 : 41;
	}
	struct word id = family_word(f, LK_TEXT("k1"));
	*family_add_consent(f) =
		(struct consent){ .id = id,
				  .topics = 1u << LK_TOPIC_STATUS | 1u << LK_TOPIC_MEETING,
				  .expires = LK_NO_DATE,
				  .in_force = 1 };
	struct word worker = family_word(f, LK_TEXT("w1"));
	*family_add_assignment(f) = (struct assignment){ .role = LK_SOCIAL_WORKER,
							 .worker = worker,
							 .name = NO_WORD,
							 .phone = NO_WORD,
							 .until_at = LK_NO_INSTANT };
	*family_add_meeting(f) = (struct meeting){ .id = id, .version = 0 };
	*family_add_meeting(f) =
		(struct meeting){ .id = id, .version = NONE, .state = MEETING_MISSED };
	*family_add_word(f) = worker;
	*family_add_version(f) = (struct version){ .kind = LK_LTM,
						   .place = NO_WORD,
						   .organizer = worker,
						   .required_n = 1,
						   .optional = 1,
						   .family = 1,
						   .start_at = 0,
						   .end_at = LK_HOUR };
	assert_false(f->failed);
}

static void fill(struct store *s, const uint8_t id[LK_DIGEST], const struct family *f)
{
	GOOD(store_begin(s, &err));
	GOOD(store_project(s, id, f, &err));
	GOOD(store_commit(s, &err));
}

static void put_family(struct store *s, const uint8_t id[LK_DIGEST])
{
	struct stored_family row = a_family(id, LK_NO_INSTANT, policy_a);

	GOOD(store_begin(s, &err));
	GOOD(store_family_put(s, &row, &err));
	GOOD(store_commit(s, &err));
}

#define STATE(sql) ask(place, "state.db", "SELECT count(*) FROM " sql)

static void families_are_told_in_plain_tables_that_others_can_read(void **state)
{
	struct place *place = *state;
	struct family f;

	a_mutual_family(&f);
	GOOD(store_begin(place->store, &err));
	struct case_key refused = { LK_CALWORKS, LK_TEXT("W-no") };
	GOOD(store_link_put(place->store, CWS_CASE, AID_CASE, 0, &err));
	GOOD(store_link_put(place->store, CWS_CASE, refused, LINK_REFUSED, &err)); /* is no link */
	GOOD(store_commit(place->store, &err));
	put_family(place->store, family_a);
	fill(place->store, family_a, &f);
	fill(place->store, family_a, &f); /* replaced, not added */
	assert_int_equal(STATE("state_case"), 2);
	assert_int_equal(
		STATE("state_case WHERE status = 'ifs' AND number = 'C-100' AND is_open = 1 AND closed_at IS NULL "
		      "AND status_at = '1970-01-01T00:00:01.5+00:00' AND closing_on = '2026-03-01'"),
		1);
	assert_int_equal(
		STATE("consent WHERE topics = 'status,meeting' AND in_force = 1 AND agency = 'cws'"),
		1);
	assert_int_equal(STATE("clock WHERE used = 41 AND clock = 'tanf60' AND number = 'W-200'"),
			 1);
	assert_int_equal(STATE("link WHERE number = 'C-100' AND other_number = 'W-200'"), 1);
	assert_int_equal(STATE("link"), 1);
	assert_int_equal(
		STATE("meeting WHERE state = 'planned' AND kind = 'ltm' AND needs_family = 1"), 1);
	assert_int_equal(STATE("meeting WHERE state = 'missed' AND kind IS NULL"), 1);
	assert_int_equal(STATE("calendar WHERE worker = 'w1' AND is_required = 1"), 1);
	assert_int_equal(STATE("caseload WHERE worker = 'w1' AND status = 'ifs'"), 1);
	assert_int_equal(STATE("mutual_family WHERE begun_at = '1970-01-02T00:00:00+00:00'"), 1);
	fill(place->store, family_a, NULL);
	assert_int_equal(STATE("state_case"), 0);
	assert_int_equal(STATE("link"), 0);
	family_free(&f);
}

/* Rows of few bytes, and the words and instants of all other tables in the view of them. */
static void what_was_told_is_kept_short_and_read_in_words(void **state)
{
	const struct told_line crossed = { .kind = LK_MILESTONE_TOLD,
					   .level = LK_CONTENT,
					   .side = LK_CALWORKS,
					   .own = AID_CASE.number,
					   .own_line = 1,
					   .other = CWS_CASE.number,
					   .other_line = 0,
					   .is_standing = true,
					   .told_at = 1500 * LK_SECOND / 1000,
					   .answered_at = 86400 * LK_SECOND };
	const struct told_line own = { .level = LK_OWN,
				       .side = -1,
				       .own = LK_TEXT("C-gone"),
				       .own_line = -1,
				       .other_line = -1,
				       .answered_at = LK_NO_INSTANT };
	struct told_line likewise = crossed;
	struct place *place = *state;
	struct family f;

	likewise.told_at = LK_NO_INSTANT;
	a_mutual_family(&f);
	put_family(place->store, family_a);
	for (int i = 0; i < 2;
	     i++) { /* replaced, not added; after the first time, nothing is remembered */
		GOOD(store_begin(place->store, &err));
		GOOD(store_project(place->store, family_a, &f, &err));
		GOOD(store_project_told(place->store, family_a, 0, &crossed, &err));
		GOOD(store_project_told(place->store, family_a, 1, &own, &err));
		GOOD(store_project_told(place->store, family_a, 2, &crossed, &err));
		GOOD(store_project_told(place->store, family_a, 3, &likewise, &err));
		GOOD(store_project_told(place->store, family_a, 5, &likewise, &err));
		if (i == 0)
			store_rollback(place->store);
		else
			GOOD(store_commit(place->store, &err));
	}
	assert_int_equal(STATE("told"), 5);
	assert_int_equal(STATE("kept_manner"), 2);
	assert_int_equal(
		STATE("told WHERE line <> 1 AND kind = 'milestone.reached' AND level = 'content' AND is_standing = 1 "
		      "AND own_agency = 'calworks' AND own_number = 'W-200' AND other_number = 'C-100' "
		      "AND told_at = '1970-01-01T00:00:01.5+00:00' AND answered_at = '1970-01-02T00:00:00+00:00'"),
		4);
	assert_int_equal(STATE("told WHERE line = 1 AND level = 'own' AND is_standing = 0 "
			       "AND own_agency IS NULL AND own_number = 'C-gone' "
			       "AND other_number IS NULL AND answered_at IS NULL "
			       "AND told_at = '1970-01-01T00:00:00+00:00'"),
			 1);
	fill(place->store, family_a, NULL);
	assert_int_equal(STATE("told"), 0);
	assert_int_equal(STATE("kept_told"), 0);
	assert_int_equal(STATE("kept_family"), 0);
	family_free(&f);
}

static void what_happened_is_kept_short_and_read_in_words(void **state)
{
	const struct history_line status = { .at = 1500 * LK_SECOND / 1000,
					     .known_at = 86400 * LK_SECOND,
					     .case_line = 0,
					     .type = LK_CASE_STATUS,
					     .code = "ifs",
					     .on = LK_NO_DATE };
	const struct history_line held = { .at = 86400 * LK_SECOND,
					   .known_at = 86400 * LK_SECOND,
					   .case_line = 1,
					   .type = LK_MEETING_HELD,
					   .ref = "m-1",
					   .on = LK_NO_DATE };
	const struct history_line closing = { .case_line = 1,
					      .type = LK_CASE_CLOSING,
					      .on = lk_date_of(2026, 3, 1) };
	struct place *place = *state;
	struct family f;

	a_mutual_family(&f);
	put_family(place->store, family_a);
	for (int i = 0; i < 2; i++) { /* replaced, not added; and not by what was rolled back */
		GOOD(store_begin(place->store, &err));
		GOOD(store_project(place->store, family_a, &f, &err));
		GOOD(store_project_history(place->store, family_a, 0, &status, &err));
		GOOD(store_project_history(place->store, family_a, 1, &held, &err));
		GOOD(store_project_history(place->store, family_a, 2, &closing, &err));
		GOOD(store_project_history(place->store, family_a, 3, &status, &err));
		if (i == 0)
			store_rollback(place->store);
		else
			GOOD(store_commit(place->store, &err));
	}
	assert_int_equal(STATE("history"), 4);
	assert_int_equal(STATE("kept_deed"), 3);
	assert_int_equal(
		STATE("history WHERE line IN (0, 3) AND agency = 'cws' AND number = 'C-100' "
		      "AND type = 'case.status' AND code = 'ifs' AND ref IS NULL "
		      "AND at = '1970-01-01T00:00:01.5+00:00' "
		      "AND known_at = '1970-01-02T00:00:00+00:00' AND on_date IS NULL"),
		2);
	assert_int_equal(
		STATE("history WHERE line = 1 AND agency = 'calworks' AND number = 'W-200' "
		      "AND type = 'meeting.held' AND code IS NULL AND ref = 'm-1'"),
		1);
	assert_int_equal(
		STATE("history WHERE line = 2 AND type = 'case.closing' AND on_date = '2026-03-01'"),
		1);
	fill(place->store, family_a, NULL);
	assert_int_equal(STATE("history"), 0);
	assert_int_equal(STATE("kept_history"), 0);
	family_free(&f);
}

static void state_db_says_where_in_the_log_it_stands(void **state)
{
	struct place *place = *state;
	struct stored_event one = an_event("e1"), two = an_event("e2");
	struct stored_family row = a_family(family_a, LK_NO_INSTANT, policy_a);
	struct family f;

	a_mutual_family(&f);
	GOOD(store_begin(place->store, &err));
	add_event(place->store, &one);
	GOOD(store_family_put(place->store, &row, &err));
	GOOD(store_commit(place->store, &err));
	put_family(place->store, family_b);
	GOOD(store_begin(place->store, &err));
	add_event(place->store, &two);
	GOOD(store_family_put(place->store, &row,
			      &err)); /* waits already: keeps its place in the row */
	GOOD(store_commit(place->store, &err));
	SAW("fa fb", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	fill(place->store, family_a, &f);
	SAW("fb", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	assert_int_equal(ask(place, "state.db", "SELECT position FROM standing"), 1);
	fill(place->store, family_b, NULL);
	SAW("", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	assert_int_equal(ask(place, "state.db", "SELECT position FROM standing"), 2);
	family_free(&f);
}

static void state_db_never_says_what_was_not_committed(void **state)
{
	struct place *place = *state;
	struct stored_family row = a_family(family_a, LK_NO_INSTANT, policy_a);
	struct family f;

	a_mutual_family(&f);
	put_family(place->store, family_a);
	GOOD(store_begin(place->store, &err));
	GOOD(store_family_put(place->store, &row, &err));
	REFUSED(store_project(place->store, family_a, &f, &err), LK_ESTATE,
		"transaction of its own");
	store_rollback(place->store);
	GOOD(store_begin(place->store, &err));
	GOOD(store_project(place->store, family_a, &f, &err));
	store_rollback(place->store);
	assert_int_equal(STATE("state_case"), 0);
	SAW("fa", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	fill(place->store, family_a, &f);
	assert_int_equal(STATE("state_case"), 2);
	family_free(&f);
}

static void go(struct store *s, const uint8_t id[LK_DIGEST])
{
	GOOD(store_begin(s, &err));
	GOOD(store_family_drop(s, id, &err));
	GOOD(store_commit(s, &err));
}

static void a_family_that_goes_and_comes_back_is_marked(void **state)
{
	struct place *place = *state;
	struct stored_family row = a_family(family_a, LK_NO_INSTANT, policy_a);

	put_family(place->store, family_a);
	GOOD(store_begin(place->store, &err));
	GOOD(store_family_drop(place->store, family_a, &err));
	GOOD(store_family_put(place->store, &row, &err));
	GOOD(store_commit(place->store, &err));
	SAW("fa", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
}

static void a_family_that_state_db_never_had_need_not_be_taken_out(void **state)
{
	struct place *place = *state;
	struct family f;

	a_mutual_family(&f);
	put_family(place->store, family_a);
	put_family(place->store, family_b);
	go(place->store, family_b);
	SAW("fa", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	fill(place->store, family_a, &f);
	assert_int_equal(STATE("state_case"), 2);
	SAW("", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	go(place->store, family_a);
	SAW("fa", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	fill(place->store, family_a, NULL);
	assert_int_equal(STATE("state_case"), 0);
	family_free(&f);
}

static void state_db_can_be_filled_anew(void **state)
{
	struct place *place = *state;
	struct family f;

	a_mutual_family(&f);
	put_family(place->store, family_a);
	fill(place->store, family_a, &f);
	GOOD(store_begin(place->store, &err));
	GOOD(store_project_reset(place->store, &err));
	GOOD(store_commit(place->store, &err));
	assert_int_equal(STATE("state_case"), 0);
	assert_int_equal(STATE("consent"), 0);
	SAW("fa", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	family_free(&f);
}

#define MEDDLE_SCHEMA "PRAGMA writable_schema = ON; "

/* What keeps state.db from being the projection of this linkages.db: it is made anew, and all
 * families wait for it. */
static void a_state_db_that_does_not_fit_is_made_anew(void **state)
{
	static const char *const offences[] = {
		"UPDATE standing SET store = zeroblob(16)",    /* another store's */
		"UPDATE standing SET fillings = fillings - 1", /* an old copy */
		"PRAGMA user_version = 900",                   /* another version's */
		/* damage that still reads as a schema */
		MEDDLE_SCHEMA "DELETE FROM sqlite_schema WHERE name = 'kept_told'",
		MEDDLE_SCHEMA "DELETE FROM sqlite_schema WHERE name = 'caseload'",
		MEDDLE_SCHEMA "UPDATE sqlite_schema SET sql = replace(sql, 'unit', 'unot')",
		MEDDLE_SCHEMA
		"UPDATE sqlite_schema SET sql = replace(sql, 'NULL', 'NULL CHECK (1 = 0)')"
		" WHERE name = 'kept_case'",
	};
	const size_t n = sizeof(offences) / sizeof(offences[0]);
	struct place *place = *state;
	struct family f;

	a_mutual_family(&f);
	put_family(place->store, family_a);
	for (size_t i = 0; i <= n; i++) {
		fill(place->store, family_a, &f);
		SAW("", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
		place_close(place);
		if (i < n)
			meddle(place, "state.db", offences[i]);
		else
			assert_int_equal(truncate(path_in(place, "state.db"), 8192),
					 0); /* damage */
		GOOD(place_open(place));
		SAW("fa", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
		assert_int_equal(STATE("state_case"), 0);
	}
	fill(place->store, family_a, &f);
	place_close(place);
	GOOD(place_open(place)); /* nothing was wrong: nothing waits */
	SAW("", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	assert_int_equal(STATE("state_case"), 2);
	family_free(&f);
}

/* Where a table or an index begins; at its first byte. */
static FILE *page_open(const struct place *place, const char *file, const char *name)
{
	char sql[128];
	FILE *at = fopen(path_in(place, file), "r+b");

	(void)snprintf(sql, sizeof(sql),
		       "SELECT 4096 * (rootpage - 1) FROM sqlite_schema WHERE name = '%s'", name);
	assert_non_null(at);
	assert_int_equal(fseek(at, (long)ask(place, file, sql), SEEK_SET), 0);
	return at;
}

static void page_clear(const struct place *place, const char *table)
{
	static const char zeros[4096];
	FILE *file = page_open(place, "state.db", table);

	assert_int_equal(fwrite(zeros, sizeof(zeros), 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

/* A page of zeros where a table begins: nothing could be filled in for good, and what comes after it when nobody waits would
 * never have its turn. */
static void a_state_db_with_a_damaged_page_is_made_anew(void **state)
{
	struct place *place = *state;
	struct family f;

	a_mutual_family(&f);
	put_family(place->store, family_a);
	fill(place->store, family_a, &f);
	place_close(place);
	page_clear(place, "kept_case");
	GOOD(place_open(place));
	GOOD(store_begin(place->store, &err));
	REFUSED(store_project(place->store, family_a, &f, &err), LK_ESTORE, "malformed");
	store_rollback(place->store);
	while (store_idle(place->store, &err) > 0)
		;
	SAW("fa", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	fill(place->store, family_a, &f);
	assert_int_equal(STATE("state_case"), 2);
	family_free(&f);
}

/* Nor does what it says of itself make sense: a start must not fail for that. */
static void a_state_db_that_cannot_say_whose_it_is_is_made_anew(void **state)
{
	struct place *place = *state;

	put_family(place->store, family_a);
	place_close(place);
	page_clear(place, "standing");
	GOOD(place_open(place));
	SAW("fa", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
}

/* The length of an entry, which SQLite's check does not see in a copy: the number of the row is read behind it. */
static void mislead_policy(struct place *place, const uint8_t revision[LK_DIGEST])
{
	uint8_t page[4096];
	FILE *file = page_open(place, "linkages.db", "sqlite_autoindex_policy_1");
	int n = 0;

	assert_int_equal(fread(page, sizeof(page), 1, file), 1);
	for (size_t i = 4; i + LK_DIGEST < sizeof(page); i++)
		if (memcmp(page + i, revision, LK_DIGEST) == 0) {
			page[i - 4] ^= 1;
			n++;
		}
	assert_int_equal(n, 1);
	assert_int_equal(fseek(file, -(long)sizeof(page), SEEK_CUR), 0);
	assert_int_equal(fwrite(page, sizeof(page), 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

static int put_under(struct store *s, const uint8_t policy[LK_DIGEST])
{
	struct stored_family row = a_family(family_a, LK_NO_INSTANT, policy);
	int rc = store_begin(s, &err);

	if (rc >= 0)
		rc = store_family_put(s, &row, &err);
	return rc < 0 ? rc : store_commit(s, &err);
}

/* A policy that leads to a row that is not there makes families that no other row knows: one rebuild must be the end of it. */
static void an_index_of_policies_that_leads_astray_is_made_anew(void **state)
{
	struct place *place = *state;
	uint8_t policies[4][LK_DIGEST];

	for (int i = 0; i < 4; i++) {
		memset(policies[i], 0x31 + 7 * i, LK_DIGEST);
		GOOD(put_under(place->store, policies[i]));
	}
	place_close(place);
	mislead_policy(place, policies[2]);
	for (int i = 0; i < 3; i++) { /* written; not found; rebuilt */
		GOOD(place_open(place));
		(void)put_under(place->store, policies[2]);
		place_close(place);
	}
	GOOD(place_open(place));
	GOOD(put_under(place->store, policies[2]));
}

/* The last entry of an index is said to be longer than it is, and so is what a copy has of it. */
static void lengthen_last(const struct place *place, const char *index)
{
	uint8_t page[4096];
	FILE *file = page_open(place, "linkages.db", index);

	assert_int_equal(fread(page, sizeof(page), 1, file), 1);
	size_t entries = (size_t)page[3] << 8 | page[4], last = 8 + 2 * (entries - 1);
	page[page[last] << 8 | page[last + 1]] += 16;
	assert_int_equal(fseek(file, -(long)sizeof(page), SEEK_CUR), 0);
	assert_int_equal(fwrite(page, sizeof(page), 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

/* Nobody compares these row by row: a rebuild, for whatever reason, ends it. */
static void an_index_of_few_rows_that_leads_astray_is_made_anew(void **state)
{
	static const char *const indexes[][2] = {
		{ "dead_letter_outbox",
		  "SELECT count(*) FROM dead_letter AS d WHERE NOT EXISTS (SELECT 1 FROM dead_letter AS found "
		  "INDEXED BY dead_letter_outbox WHERE found.stream = d.stream AND found.seq = d.seq AND +found.number = d.number)" },
		{ "dirty_since",
		  "SELECT count(*) FROM dirty AS d WHERE NOT EXISTS (SELECT 1 FROM dirty AS found "
		  "INDEXED BY dirty_since WHERE found.since = d.since AND +found.ref = d.ref)" },
	};
	struct place *place = *state;

	GOOD(store_begin(place->store, &err));
	for (uint8_t i = 1; i < 10; i++) {
		struct dead_letter letter = a_letter("letter", i);
		struct stored_family f = a_family((uint8_t[LK_DIGEST]){ i }, 10, policy_a);

		GOOD(store_dead_letter_add(place->store, &letter, &err));
		GOOD(store_family_put(place->store, &f, &err));
	}
	GOOD(store_commit(place->store, &err));
	for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
		place_close(place);
		lengthen_last(place, indexes[i][0]);
		assert_int_equal(ask(place, "linkages.db", indexes[i][1]), 1);
		GOOD(place_open(place));
		store_distrust(place->store, "a test");
		place_close(place);
		GOOD(place_open(place));
		place_close(place);
		assert_int_equal(ask(place, "linkages.db", indexes[i][1]), 0);
		GOOD(place_open(place));
	}
}

/* How often it was filled is counted on after a start: else a copy from before that passes for a newer one. */
static void an_old_state_db_is_noticed_after_a_restart(void **state)
{
	struct place *place = *state;
	struct family f;

	a_mutual_family(&f);
	put_family(place->store, family_a);
	for (int i = 0; i < 3; i++)
		fill(place->store, family_a, &f);
	place_close(place);
	file_copy(place, "state.db", "kept");
	GOOD(place_open(place));
	put_family(place->store, family_a);
	fill(place->store, family_a, NULL);
	place_close(place);
	file_copy(place, "kept", "state.db");
	assert_int_equal(unlink(path_in(place, "state.db-wal")), 0);
	GOOD(place_open(place));
	SAW("fa", store_dirty_families(place->store, 9, see_family_id, &seen, &err));
	assert_int_equal(STATE("state_case"), 0);
	family_free(&f);
}

/* Under an open store, too: whoever reads it shall not wait for a restart. Where its log alone goes, nothing is missing: what
 * it held is brought into the file when that is closed. */
static void a_state_db_that_is_taken_away_meanwhile_is_made_anew(void **state)
{
	static const struct {
		const char *name, *waits;
		int cases;
	} gone[] = { { "state.db", "fa", 0 }, { "state.db-wal", "", 2 } };
	struct place *place = *state;
	struct family f;

	a_mutual_family(&f);
	put_family(place->store, family_a);
	for (size_t i = 0; i < 2; i++) {
		fill(place->store, family_a, &f);
		assert_int_equal(unlink(path_in(place, gone[i].name)), 0);
		GOOD(store_idle(place->store, &err));
		SAW(gone[i].waits,
		    store_dirty_families(place->store, 9, see_family_id, &seen, &err));
		assert_int_equal(STATE("state_case"), gone[i].cases);
		fill(place->store, family_a, &f);
		assert_int_equal(STATE("state_case"), 2);
	}
	assert_int_equal(unlink(path_in(place, "state.db")), 0);
	assert_int_equal(mkdir(path_in(place, "state.db"), 0700), 0); /* it can not be made */
	REFUSED(store_idle(place->store, &err), LK_ESTORE,
		"state.db cannot be reached: Is a directory");
	assert_int_equal(rmdir(path_in(place, "state.db")), 0);
	GOOD(store_idle(place->store, &err));
	fill(place->store, family_a, &f);
	assert_int_equal(STATE("state_case"), 2);
	family_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES(the_published_schemas_are_those_of_a_new_store),
		FILES(every_old_version_is_brought_up_to_date),
		FILES(every_column_is_commented),
		FILES(no_statement_reads_a_whole_table),
		FILES(families_are_told_in_plain_tables_that_others_can_read),
		FILES(what_was_told_is_kept_short_and_read_in_words),
		FILES(what_happened_is_kept_short_and_read_in_words),
		FILES(state_db_says_where_in_the_log_it_stands),
		FILES(state_db_never_says_what_was_not_committed),
		FILES(a_family_that_goes_and_comes_back_is_marked),
		FILES(a_family_that_state_db_never_had_need_not_be_taken_out),
		FILES(state_db_can_be_filled_anew),
		FILES(a_state_db_that_does_not_fit_is_made_anew),
		FILES(a_state_db_with_a_damaged_page_is_made_anew),
		FILES(an_index_of_policies_that_leads_astray_is_made_anew),
		FILES(an_index_of_few_rows_that_leads_astray_is_made_anew),
		FILES(a_state_db_that_cannot_say_whose_it_is_is_made_anew),
		FILES(an_old_state_db_is_noticed_after_a_restart),
		FILES(a_state_db_that_is_taken_away_meanwhile_is_made_anew),
	};

	return cmocka_run_group_tests_name("store schema", tests, NULL, NULL);
}

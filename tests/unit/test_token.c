/* test_token.c - one identity, however it is written, is one token; nonsense is none; nothing identifying leaves.
 *
 * In: schemas/vectors/tokens.ndjson (made by another program) and schemas/letters.tsv. Out: the same tokens.
 * Promise: clients/lib/token.c keeps its own.
 */
#include "values.h"

#include <linkages/client.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

static uint8_t key[LK_IDENTITY_KEY];

static void key_set(struct lk_text hex)
{
	assert_int_equal(sodium_hex2bin(key, sizeof(key), hex.at, hex.len, NULL, NULL, NULL), 0);
}

static int token_of(struct lk_text kind, struct lk_span given, char out[LK_DIGEST_HEX])
{
	if (lk_text_says(kind, "cin"))
		return lk_token_cin(key, lk_as_text(given), out);
	if (lk_text_says(kind, "ssn"))
		return lk_token_ssn(key, lk_as_text(given), out);
	return lk_token_name_dob(key, lk_as_text(lk_get(given, "last")),
				 lk_as_text(lk_get(given, "first")),
				 lk_as_text(lk_get(given, "birth")), out);
}

static void vector_holds(struct lk_span vector)
{
	struct lk_text wanted = lk_as_text(lk_get(vector, "token"));
	char token[LK_DIGEST_HEX];
	int made;

	key_set(lk_as_text(lk_get(vector, "key")));
	made = token_of(lk_as_text(lk_get(vector, "kind")), lk_get(vector, "given"), token);
	assert_int_equal(made, lk_text_given(wanted) ? 0 : -1);
	if (made == 0)
		assert_true(lk_text_says(wanted, token));
}

static void golden_vectors_hold(void **state)
{
	(void)state;
	vectors_each("tokens", 20, vector_holds);
}

/* Each row's letter alone, as a last name, gives the token of its plain letters. */
static void the_published_table_of_letters_is_the_one_in_use(void **state)
{
	FILE *file = fopen(TEST_ROOT "/schemas/letters.tsv", "r");
	char line[256], letter[16], plain[16], one[LK_DIGEST_HEX], other[LK_DIGEST_HEX];
	int n = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "U+%*x\t%15s\t%15s", letter, plain), 2);
		assert_int_equal(lk_token_name_dob(key, lk_text_of(letter), LK_TEXT("A"),
						   LK_TEXT("1990-01-01"), one),
				 0);
		assert_int_equal(lk_token_name_dob(key, lk_text_of(plain), LK_TEXT("A"),
						   LK_TEXT("1990-01-01"), other),
				 0);
		assert_string_equal(one, other);
		n++;
	}
	(void)fclose(file);
	assert_in_range(n, 500, 1000);
}

static struct lk_span wire_of(const char *json, struct lk_bytes *room)
{
	struct lk_refused why;

	assert_int_equal(lk_json_to_wire(json, strlen(json), room, &why), 0);
	return lk_span_of(room->at, room->len);
}

static void an_identity_becomes_keys(void **state)
{
	struct lk_bytes room = { 0 }, sealed = { 0 }, json = { 0 };
	struct lk_refused why;
	struct lk_span member,
		event = wire_of(
			"{\"id\": \"e\", \"data\": {\"status\": \"er\", \"members\": [{\"person\": \"p1\","
			" \"keys\": {\"cin\": \"old\", \"other\": \"stays\"}, \"identity\":"
			" {\"cin\": \"98765432a\", \"ssn\": null, \"last\": \"Nuñez\", \"first\": \"Ana\","
			" \"birth\": \"2001-02-03\"}}, {\"person\": \"p2\"}]}}",
			&room);
	char token[LK_DIGEST_HEX];

	(void)state;
	assert_int_equal(lk_identity_seal(event.at, event.len, key, &sealed, &why), 0);
	assert_int_equal(lk_wire_to_json(sealed.at, sealed.len, &json), 0);
	lk_bytes_add(&json, "", 1);
	assert_null(strstr((const char *)json.at, "Nu"));
	assert_null(strstr((const char *)json.at, "98765432"));
	assert_null(strstr((const char *)json.at, "2001-02-03"));
	assert_null(strstr((const char *)json.at, "identity"));
	assert_non_null(strstr((const char *)json.at, "\"other\":\"stays\""));
	assert_non_null(strstr((const char *)json.at, "{\"person\":\"p2\"}"));
	assert_int_equal(lk_token_cin(key, LK_TEXT("98765432A"), token), 0);
	member = lk_get_path(lk_span_of(sealed.at, sealed.len), "data.members");
	assert_int_equal(lk_count(member), 2);
	assert_non_null(strstr((const char *)json.at, token));
	assert_int_equal(lk_token_name_dob(key, LK_TEXT("NUNEZ"), LK_TEXT("ana"),
					   LK_TEXT("2001-02-03"), token),
			 0);
	assert_non_null(strstr((const char *)json.at, token));
	assert_null(strstr((const char *)json.at, "\"ssn\""));
	lk_bytes_free(&room);
	lk_bytes_free(&sealed);
	lk_bytes_free(&json);
}

static void seal_refuses(const char *json, const uint8_t *with, enum lk_refusal reason,
			 const char *field)
{
	struct lk_bytes room = { 0 }, sealed = { 0 };
	struct lk_span event = wire_of(json, &room);
	struct lk_refused why = { .reason = LK_MALFORMED };

	assert_int_equal(lk_identity_seal(event.at, event.len, with, &sealed, &why), LK_EREFUSED);
	assert_int_equal(why.reason, reason);
	assert_string_equal(why.field, field);
	lk_bytes_free(&room);
	lk_bytes_free(&sealed);
}

static void what_cannot_be_sealed_does_not_leave(void **state)
{
	(void)state;
	seal_refuses("{\"data\": {\"members\": [{\"identity\": {\"cin\": \"1\"}}]}}", NULL,
		     LK_FORBIDDEN, "data.members.0.identity");
	seal_refuses("{\"data\": {\"members\": [{}, {\"identity\": {\"ssn\": \"1\"}}]}}", key,
		     LK_BAD_VALUE, "data.members.1.identity.ssn");
	seal_refuses("{\"data\": {\"members\": [{\"identity\": {\"ssn\": 123456789}}]}}", key,
		     LK_BAD_TYPE, "data.members.0.identity.ssn");
	seal_refuses("{\"data\": {\"members\": [{\"identity\": {\"last\": \"Garcia\"}}]}}", key,
		     LK_MISSING, "data.members.0.identity");
	seal_refuses("{\"data\": {\"members\": [{\"identity\": \"Garcia\"}]}}", key, LK_BAD_TYPE,
		     "data.members.0.identity");
	seal_refuses("{\"data\": {\"identity\": {\"cin\": \"1\"}}}", key, LK_FORBIDDEN, "identity");
	seal_refuses("{\"identity\": null, \"data\": {}}", NULL, LK_FORBIDDEN, "identity");
	seal_refuses("{\"data\": {\"members\": [{\"a\": [{\"identity\": {}}]}]}}", key,
		     LK_FORBIDDEN, "identity");
	seal_refuses("{\"data\": {\"members\": {\"a\": {\"identity\": {\"cin\": \"1\"}}}}}", key,
		     LK_BAD_TYPE, "data.members.0.identity");
}

static void an_event_without_identities_passes_as_it_is(void **state)
{
	struct lk_bytes room = { 0 }, sealed = { 0 };
	struct lk_span event =
		wire_of("{\"id\": \"e\", \"data\": {\"members\": [{\"person\": \"p\"}]}}", &room);
	struct lk_refused why;

	(void)state;
	assert_int_equal(lk_identity_seal(event.at, event.len, NULL, &sealed, &why), 0);
	assert_int_equal(sealed.len, event.len);
	assert_memory_equal(sealed.at, event.at, event.len);
	lk_bytes_free(&room);
	lk_bytes_free(&sealed);
}

static void a_key_file_is_private_and_whole(void **state)
{
	char path[] = "/tmp/identity-XXXXXX";
	uint8_t read[LK_IDENTITY_KEY];
	struct lk_error err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(
		write(fd, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 65),
		65);
	assert_int_equal(lk_identity_key_read(path, read, &err), 0);
	assert_int_equal(read[31], 31);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(lk_identity_key_read(path, read, &err), LK_ECONFIG);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(ftruncate(fd, 63), 0);
	assert_int_equal(lk_identity_key_read(path, read, &err), LK_ECONFIG);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(lk_identity_key_read(path, read, &err), LK_ENOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_vectors_hold),
		cmocka_unit_test(the_published_table_of_letters_is_the_one_in_use),
		cmocka_unit_test(an_identity_becomes_keys),
		cmocka_unit_test(what_cannot_be_sealed_does_not_leave),
		cmocka_unit_test(an_event_without_identities_passes_as_it_is),
		cmocka_unit_test(a_key_file_is_private_and_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

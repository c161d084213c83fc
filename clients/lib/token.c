/* token.c - identity tokens: who is who, without saying who. protocol.md, "Identity and access".
 *
 * In: a CIN, an SSN, or a name with a birth date, and a key that the agencies share. Out: 32 hex digits.
 * Promise: two agencies that write one identity in their own ways get one token; a value that cannot be an identity
 * gets none, since a token of nonsense would join strangers; nothing of a value is repeated in a complaint.
 */
#include <linkages/client.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_MAX 512 /* bytes of a normalised value; names beyond it are none */

struct letter {
	uint32_t point;
	const char *plain;
};
/* schemas/letters.tsv says the same for readers; a test compares the two. */
static const struct letter letters[] = {
#define L(point, plain) { point, plain },
#include "letters.h"
#undef L
};

/* ---- Letters -------------------------------------------------------------------------------------------------------- */

/* Scanned text is UTF-8; what is none is passed over a byte at a time, like every other sign that is no letter. */
static uint32_t point_next(const char **at, const char *end)
{
	const uint8_t *p = (const uint8_t *)*at;
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 1;
	uint32_t point = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));

	if ((size_t)(end - *at) < n)
		n = 1;
	for (size_t i = 1; i < n; i++)
		point = (point << 6) | (p[i] & 0x3fu);
	*at += n;
	return point;
}

static const char *letter_plain(uint32_t point)
{
	size_t low = 0, high = sizeof(letters) / sizeof(letters[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (letters[middle].point == point)
			return letters[middle].plain;
		if (letters[middle].point < point)
			low = middle + 1;
		else
			high = middle;
	}
	return "";
}

struct value {
	char at[VALUE_MAX];
	size_t len;
	bool failed;
};

static void value_add(struct value *v, const char *text, size_t len)
{
	if (v->len + len > sizeof(v->at)) {
		v->failed = true;
		return;
	}
	memcpy(v->at + v->len, text, len);
	v->len += len;
}

/* The letters A-Z of a name, and nothing else; how many there were. */
static size_t value_add_name(struct value *v, struct lk_text name)
{
	const char *at = name.at, *end = name.at + name.len;
	size_t before = v->len;

	while (at < end) {
		const char *plain = letter_plain(point_next(&at, end));
		value_add(v, plain, strlen(plain));
	}
	return v->len - before;
}

/* ---- Tokens --------------------------------------------------------------------------------------------------------- */

static int token_make(const uint8_t key[LK_IDENTITY_KEY], enum lk_key_kind kind, struct value *v,
		      char out[LK_DIGEST_HEX])
{
	uint8_t bytes[VALUE_MAX + 16], digest[LK_DIGEST];
	int len = snprintf((char *)bytes, 16, "%s\x1f", lk_key_kind_word((int)kind));

	if (!v->failed) {
		memcpy(bytes + len, v->at, v->len);
		lk_digest(bytes, (size_t)len + v->len, key, digest);
		lk_digest_hex(digest, out);
	}
	sodium_memzero(bytes, sizeof(bytes));
	sodium_memzero(v->at, sizeof(v->at));
	return v->failed ? -1 : 0;
}

static char upper_ascii(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int lk_token_cin(const uint8_t key[LK_IDENTITY_KEY], struct lk_text cin, char out[LK_DIGEST_HEX])
{
	struct value v = { .len = 0 };

	for (uint32_t i = 0; i < cin.len; i++) {
		char c = upper_ascii(cin.at[i]);

		if ((c >= 'A' && c <= 'Z') || is_digit(c))
			value_add(&v, &c, 1);
	}
	return v.len > 0 ? token_make(key, LK_CIN, &v, out) : -1;
}

int lk_token_ssn(const uint8_t key[LK_IDENTITY_KEY], struct lk_text ssn, char out[LK_DIGEST_HEX])
{
	struct value v = { .len = 0 };

	for (uint32_t i = 0; i < ssn.len; i++)
		if (is_digit(ssn.at[i]))
			value_add(&v, &ssn.at[i], 1);
	/* Zeroes in any group were never given out; systems fill them in where they know no number. */
	if (v.len != 9 || memcmp(v.at, "000", 3) == 0 || memcmp(v.at + 3, "00", 2) == 0 ||
	    memcmp(v.at + 5, "0000", 4) == 0)
		return -1;
	return token_make(key, LK_SSN, &v, out);
}

int lk_token_name_dob(const uint8_t key[LK_IDENTITY_KEY], struct lk_text last, struct lk_text first,
		      struct lk_text birth, char out[LK_DIGEST_HEX])
{
	struct value v = { .len = 0 };
	lk_date day;
	bool named;

	if (lk_date_parse(birth, &day) < 0)
		return -1;
	named = value_add_name(&v, last) > 0;
	value_add(&v, "|", 1);
	named = value_add_name(&v, first) > 0 && named;
	value_add(&v, "|", 1);
	value_add(&v, birth.at, birth.len);
	return named ? token_make(key, LK_NAME_DOB, &v, out) : -1;
}

/* ---- The key -------------------------------------------------------------------------------------------------------- */

int lk_identity_key_read(const char *path, uint8_t key[LK_IDENTITY_KEY], struct lk_error *err)
{
	char text[2 * LK_IDENTITY_KEY + 3] = "";
	struct stat st;
	size_t made = 0, len;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return lk_fail(err, errno == ENOENT ? LK_ENOTFOUND : LK_ECONFIG, "%s: %s", path,
			       strerror(errno));
	n = fstat(fd, &st) == 0 ? read(fd, text, sizeof(text) - 1) : -1;
	close(fd);
	if (n < 0)
		return lk_fail(err, LK_ECONFIG, "%s: cannot read it", path);
	if ((st.st_mode & S_IRWXO) != 0)
		return lk_fail(err, LK_ECONFIG,
			       "%s: others may read this secret; run: chmod 600 %s", path, path);
	len = strcspn(text, "\r\n");
	text[len] = '\0';
	if (len != 2 * LK_IDENTITY_KEY ||
	    sodium_hex2bin(key, LK_IDENTITY_KEY, text, len, NULL, &made, NULL) != 0 ||
	    made != LK_IDENTITY_KEY)
		return lk_fail(err, LK_ECONFIG, "%s: an identity key is one line of %d hex digits",
			       path, 2 * LK_IDENTITY_KEY);
	sodium_memzero(text, sizeof(text));
	return 0;
}

/* ---- Sealing an event ------------------------------------------------------------------------------------------------ */

struct sealing {
	const uint8_t *key;
	struct lk_bytes *out;
	struct lk_refused *why;
	unsigned member; /* index */
};

static int refuse(struct sealing *s, enum lk_refusal reason, const char *what, const char *detail)
{
	if (s->why != NULL) {
		s->why->reason = reason;
		(void)snprintf(s->why->field, sizeof(s->why->field), "data.members.%u.identity%s",
			       s->member, what);
		(void)snprintf(s->why->detail, sizeof(s->why->detail), "%s", detail);
	}
	return LK_EREFUSED;
}

/* The tokens of one identity; "" where there is nothing to make one of. */
struct tokens {
	char hex[lk_key_kind_count][LK_DIGEST_HEX];
};

static int one_token(struct sealing *s, struct lk_span identity, const char *member,
		     int (*make)(const uint8_t *key, struct lk_text value, char out[LK_DIGEST_HEX]),
		     char *hex)
{
	struct lk_span value = lk_get(identity, member);
	char path[16];

	if (value.at == NULL || lk_is_nil(value))
		return 0;
	(void)snprintf(path, sizeof(path), ".%s", member);
	if (!lk_text_given(lk_as_text(value)))
		return refuse(s, LK_BAD_TYPE, path, "a text is wanted");
	if (make(s->key, lk_as_text(value), hex) < 0)
		return refuse(s, LK_BAD_VALUE, path, "this cannot be one");
	return 0;
}

static int name_token(struct sealing *s, struct lk_span identity, char *hex)
{
	struct lk_text last = lk_as_text(lk_get(identity, "last"));
	struct lk_text first = lk_as_text(lk_get(identity, "first"));
	struct lk_text birth = lk_as_text(lk_get(identity, "birth"));

	if (!lk_text_given(last) && !lk_text_given(first) && !lk_text_given(birth))
		return 0;
	if (!lk_text_given(last) || !lk_text_given(first) || !lk_text_given(birth))
		return refuse(s, LK_MISSING, "", "last, first and birth belong together");
	if (lk_token_name_dob(s->key, last, first, birth, hex) < 0)
		return refuse(s, LK_BAD_VALUE, ".birth",
			      "a name with letters and a day as YYYY-MM-DD are wanted");
	return 0;
}

static int tokens_make(struct sealing *s, struct lk_span identity, struct tokens *tokens)
{
	int code;

	memset(tokens, 0, sizeof(*tokens));
	if (s->key == NULL)
		return refuse(s, LK_FORBIDDEN, "",
			      "an identity may not leave this machine: name an identity key");
	if (lk_count(identity) < 0)
		return refuse(s, LK_BAD_TYPE, "", "an object is wanted");
	code = one_token(s, identity, "cin", lk_token_cin, tokens->hex[LK_CIN]);
	if (code == 0)
		code = one_token(s, identity, "ssn", lk_token_ssn, tokens->hex[LK_SSN]);
	if (code == 0)
		code = name_token(s, identity, tokens->hex[LK_NAME_DOB]);
	return code;
}

/* A token made here stands before one of the same kind that was there. */
static void keys_put(struct sealing *s, struct lk_span before, const struct tokens *tokens)
{
	struct lk_bytes pairs = { 0 };
	struct lk_span key, value;
	size_t cursor = 0;
	uint32_t n = 0;

	while (lk_next(before, &cursor, &key, &value)) {
		int kind = lk_key_kind_code(lk_as_text(key));

		if (kind >= 0 && tokens->hex[kind][0] != '\0')
			continue;
		lk_put_raw(&pairs, key.at, key.len);
		lk_put_raw(&pairs, value.at, value.len);
		n++;
	}
	for (int kind = 0; kind < (int)lk_key_kind_count; kind++) {
		if (tokens->hex[kind][0] == '\0')
			continue;
		lk_put_word(&pairs, lk_key_kind_word(kind));
		lk_put_word(&pairs, tokens->hex[kind]);
		n++;
	}
	lk_put_map(s->out, n);
	lk_put_raw(s->out, pairs.at, pairs.len);
	s->out->failed |= pairs.failed;
	lk_bytes_free(&pairs);
}

static int member_seal(struct sealing *s, struct lk_span member)
{
	struct lk_span identity = lk_get(member, "identity"), keys = lk_get(member, "keys"), key,
		       value;
	struct tokens tokens;
	size_t cursor = 0;
	int code;

	if (identity.at == NULL) {
		lk_put_raw(s->out, member.at, member.len);
		return 0;
	}
	code = tokens_make(s, identity, &tokens);
	if (code < 0)
		return code;
	/* `identity` gives its place to `keys`, where there were none. */
	lk_put_map(s->out, (uint32_t)(lk_count(member) - (keys.at != NULL ? 1 : 0)));
	while (lk_next(member, &cursor, &key, &value)) {
		struct lk_text name = lk_as_text(key);

		if (lk_text_says(name, "identity") || lk_text_says(name, "keys"))
			continue;
		lk_put_raw(s->out, key.at, key.len);
		lk_put_raw(s->out, value.at, value.len);
	}
	lk_put_word(s->out, "keys");
	keys_put(s, keys, &tokens);
	return 0;
}

static int members_seal(struct sealing *s, struct lk_span members)
{
	struct lk_span key, member;
	size_t cursor = 0;
	int code = 0;

	lk_put_array(s->out, (uint32_t)lk_count(members));
	for (s->member = 0; code == 0 && lk_next(members, &cursor, &key, &member); s->member++)
		code = key.at == NULL ? member_seal(s, member)
				      : refuse(s, LK_BAD_TYPE, "", "members are a list");
	return code;
}

/* Copies a map; the value of `name` goes through `seal`. */
static int map_seal(struct sealing *s, struct lk_span map, const char *name,
		    int (*seal)(struct sealing *s, struct lk_span value))
{
	struct lk_span key, value;
	size_t cursor = 0;
	int code = 0;

	lk_put_map(s->out, (uint32_t)lk_count(map));
	while (code == 0 && lk_next(map, &cursor, &key, &value)) {
		lk_put_raw(s->out, key.at, key.len);
		if (lk_text_says(lk_as_text(key), name))
			code = seal(s, value);
		else
			lk_put_raw(s->out, value.at, value.len);
	}
	return code;
}

static int data_seal(struct sealing *s, struct lk_span data)
{
	return map_seal(s, data, "members", members_seal);
}

static bool has_identity(struct lk_span members)
{
	struct lk_span key, member;
	size_t cursor = 0;

	while (lk_next(members, &cursor, &key, &member))
		if (lk_get(member, "identity").at != NULL)
			return true;
	return false;
}

/* How many members of that name there are, at any depth: the event has passed the scan, so it is no deep one. */
static size_t identities_in(struct lk_span value)
{
	struct lk_span key, item;
	size_t cursor = 0, n = 0;

	while (lk_next(value, &cursor, &key, &item))
		n += (key.at != NULL && lk_text_says(lk_as_text(key), "identity")) +
		     identities_in(item);
	return n;
}

/* Those of the members are sealed. Any other would leave the machine as it is. */
static bool is_astray(struct lk_span event)
{
	struct lk_span members = lk_get_path(event, "data.members"), key, member;
	size_t cursor = 0, sealed = 0;

	while (lk_next(members, &cursor, &key, &member))
		sealed += lk_get(member, "identity").at != NULL;
	return identities_in(event) > sealed;
}

static int refuse_astray(struct lk_refused *why)
{
	if (why != NULL)
		*why = (struct lk_refused){ .reason = LK_FORBIDDEN,
					    .field = "identity",
					    .detail =
						    "an identity stands with one of data.members, "
						    "and nowhere else" };
	return LK_EREFUSED;
}

int lk_identity_seal(const void *event, size_t len, const uint8_t *key, struct lk_bytes *out,
		     struct lk_refused *why)
{
	struct sealing s = { .key = key, .out = out, .why = why };
	struct lk_error err;
	int code;

	if (lk_wire_scan(event, len, &lk_event_limits, &err) < 0)
		return LK_EWIRE;
	if (is_astray(lk_span_of(event, len)))
		return refuse_astray(why);
	if (!has_identity(lk_get_path(lk_span_of(event, len), "data.members"))) {
		lk_bytes_add(out, event, len);
		return out->failed ? LK_EMEMORY : 0;
	}
	code = map_seal(&s, lk_span_of(event, len), "data", data_seal);
	return code == 0 && out->failed ? LK_EMEMORY : code;
}

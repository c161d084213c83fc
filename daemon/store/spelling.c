/* spelling.c - what people write, in about half its bytes: a fixed dictionary of pieces of English words, a byte each.
 *
 * In: a text. Out: bytes; and the same text again. Promise: any text comes back; a word that has a digit or a capital
 * behind its first letter, as the numbers of cases and the ids of events have, stands there as it is, so that who looks
 * for it in a file finds it; damaged bytes give another text, or none.
 *
 * A byte from 0x80 on is the piece of that number, 0xff the byte behind it as it is; a byte below is itself.
 */
#include "internal.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#define PIECE_FIRST 0x80u
#define AS_IT_IS 0xffu

/* Numbers are kept on disk: never changed. */
static const char pieces[PIECES][PIECE_MOST + 1] = {
	" a",       " a ",      " and",   " and ",    " as",      " b",       " be",     " c",
	" case",    " child",   " comp",  " con",     " coordin", " county",  " d",      " ex",
	" f",       " family ", " for",   " for ",    " h",       " he ",     " her ",   " in",
	" in ",     " in the",  " is",    " it",      " m",       " meeting", " module", " months",
	" must be", " need",    " no",    " not",     " number",  " of",      " of ",    " on",
	" or",      " other",   " p",     " parent",  " plan",    " pro",     " re",     " s",
	" service", " she ",    " st",    " t",       " th",      " that",    " the",    " the ",
	" to",      " to ",     " trans", " w",       " was ",    " will ",   " with",   " worker",
	", ",       ". ",       "al",     "amily ",   "an",       "an ",      "ar",      "at",
	"ation",    "ation ",   "ce",     "ch",       "e ",       "e, ",      "ec",      "ed",
	"ed ",      "en",       "end",    "ent",      "er",       "es",       "es ",     "et",
	"he ",      "here",     "ic",     "il",       "ill",      "in",       "ing",     "ing ",
	"is",       "it",       "ke",     "le",       "li",       "ly",       "ment",    "nd",
	"om",       "on",       "or",     "oun",      "ow",       "port",     "ra",      "re",
	"referral", "s ",       "s, ",    "sanction", "se",       "services", "sion",    "st",
	"t ",       "ter",      "ther",   "ti",       "tion",     "un",       "ver",
};
static_assert(PIECE_FIRST + PIECES == AS_IT_IS, "a byte for each");

/* ---- Pieces by their first two letters, the longest first ------------------------------------- */

static unsigned slot_of(const char *at)
{
	return ((unsigned)(uint8_t)at[0] * 31 + (uint8_t)at[1]) % SPELLING_SLOTS;
}

/* The next letters of a text, the first the lowest; zeroes behind its end. */
static uint64_t letters_at(const char *at, size_t len)
{
	uint64_t letters = 0;

	if (len >= sizeof(letters))
		memcpy(&letters, at, sizeof(letters));
	else
		memcpy(&letters, at, len);
	return le64toh(letters);
}

static void piece_add(struct spelling *l, uint8_t piece)
{
	uint8_t *at = &l->first[slot_of(pieces[piece])];

	while (*at != 0 && l->len[*at - 1] >= l->len[piece])
		at = &l->next[*at - 1];
	l->next[piece] = *at;
	*at = (uint8_t)(piece + 1);
}

/* The longest that the text begins with, + 1; 0: none. */
static unsigned piece_find(const struct spelling *l, const char *at, size_t len)
{
	uint64_t letters;
	unsigned i = len < 2 ? 0 : l->first[slot_of(at)];

	if (i == 0)
		return 0;
	letters = letters_at(at, len);
	while (i != 0 && (letters & l->mask[i - 1]) != l->piece[i - 1])
		i = l->next[i - 1];
	return i;
}

/* ---- Words ------------------------------------------------------------------------------------ */

enum kind { BETWEEN, LOWER, UPPER, OTHER };

static void kinds_load(struct spelling *l)
{
	memset(&l->kind['a'], LOWER, 26);
	memset(&l->kind['A'], UPPER, 26);
	memset(&l->kind['0'], OTHER, 10);
	l->kind['-'] = OTHER;
}

static size_t word_len(const struct spelling *l, const char *at, size_t len)
{
	size_t n = 0;

	while (n < len && l->kind[(uint8_t)at[n]] != BETWEEN)
		n++;
	return n;
}

void spelling_load(struct spelling *l)
{
	memset(l, 0, sizeof(*l));
	kinds_load(l);
	for (uint8_t i = 0; i < PIECES; i++) {
		l->len[i] = (uint8_t)strlen(pieces[i]);
		l->mask[i] = UINT64_MAX >> (64 - 8 * l->len[i]);
		l->piece[i] = letters_at(pieces[i], l->len[i]);
		piece_add(l, i);
	}
}

/* So much of it is words without a digit or a capital behind the first letter, and what stands between them. */
static size_t prose_len(const struct spelling *l, const char *at, size_t len)
{
	size_t begun = 0; /* of the last word, or of what stands between */

	for (size_t n = 0; n < len; n++) {
		uint8_t kind = l->kind[(uint8_t)at[n]];

		if (kind == BETWEEN)
			begun = n + 1;
		else if (kind == OTHER || (kind == UPPER && n > begun))
			return begun;
	}
	return len;
}

/* ---- In and out ------------------------------------------------------------------------------- */

/* What is written, and how much room is left for it. */
struct writing {
	uint8_t *to;
	size_t room;
};

static bool put_byte(struct writing *w, unsigned byte)
{
	if (w->room == 0)
		return false;
	*w->to++ = (uint8_t)byte;
	w->room--;
	return true;
}

static bool put_literal(struct writing *w, uint8_t byte)
{
	return (byte < PIECE_FIRST || put_byte(w, AS_IT_IS)) && put_byte(w, byte);
}

static bool put_prose(const struct spelling *l, struct writing *w, const char *at, size_t len)
{
	while (len > 0) {
		unsigned piece = piece_find(l, at, len);
		size_t n = piece > 0 ? l->len[piece - 1] : 1;

		if (piece > 0 ? !put_byte(w, PIECE_FIRST + piece - 1)
			      : !put_literal(w, (uint8_t)*at))
			return false;
		at += n;
		len -= n;
	}
	return true;
}

size_t spelling_put(const struct spelling *l, struct lk_text text, uint8_t *to, size_t room)
{
	struct writing w = { to, room };
	const char *at = text.at, *end = text.at + text.len;

	while (at < end) {
		size_t prose = prose_len(l, at, (size_t)(end - at)), word;

		if (!put_prose(l, &w, at, prose))
			return 0;
		at += prose;
		for (word = word_len(l, at, (size_t)(end - at)); word > 0; word--)
			if (!put_byte(&w, (uint8_t)*at++))
				return 0;
	}
	return room - w.room;
}

const uint8_t *spelling_take(const struct spelling *l, const uint8_t *from, const uint8_t *end,
			     size_t len, struct lk_bytes *out)
{
	char room[8 * PIECE_MOST];
	size_t n = 0, more;

	for (; len > 0; len -= more) {
		unsigned byte = from < end ? *from++ : AS_IT_IS;

		more = 1;
		if (byte < PIECE_FIRST)
			room[n] = (char)byte;
		else if (byte < AS_IT_IS) {
			memcpy(room + n, pieces[byte - PIECE_FIRST], PIECE_MOST);
			more = l->len[byte - PIECE_FIRST];
		} else if (from < end)
			room[n] = (char)*from++;
		else
			return NULL;
		if (more > len)
			return NULL;
		n += more;
		if (n > sizeof(room) - PIECE_MOST || more == len) {
			lk_bytes_add(out, room, n);
			n = 0;
		}
	}
	return from;
}

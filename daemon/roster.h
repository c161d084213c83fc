/* roster.h - the table of clients: whose key is whose, and what each may say and read.
 *
 * Loaded whole, checked whole, then swapped: load the new one, put it in the old one's place, free the old one. What
 * cannot be loaded changes nothing. A roster never changes after loading, so that any number of readers may share it.
 * daemon/clients.yaml is a commented example.
 */
#ifndef LINKAGES_ROSTER_H
#define LINKAGES_ROSTER_H

#include <linkages/base.h>

#define ROSTER_KEY 32 /* bytes of a CURVE public key; 40 characters of Z85 */
#define ROSTER_KEY_TEXT 41

/* C(enumerator, word in the file) */
#define ROSTER_ROLES(C) \
	C(ROLE_PUBLISHER, "publisher") /* sends the events of its sources */ \
	C(ROLE_WORKER, "worker")       /* reads the mailboxes of its workers, receipts, answers */ \
	C(ROLE_OPERATOR, "operator")   /* asks for ids, counts and kinds */ \
	C(ROLE_AUDITOR, "auditor")     /* asks for case content, with a purpose, and is written to the ledger */
#define ROSTER_ROLE(name, word) name,
enum roster_role { ROSTER_ROLES(ROSTER_ROLE) ROLE_COUNT };

typedef char roster_id[65]; /* 1..64 characters and a NUL */

struct roster_client {
	roster_id name; /* unique; A-Za-z0-9._- */
	uint8_t key[ROSTER_KEY]; /* unique */
	enum roster_role role;
	bool revoked;  /* known, and no longer let in: 400 rather than 300 */
	unsigned line; /* where the file names it, counted from 1 */
	roster_id *sources; /* sorted bytewise; publishers have at least one, others none */
	size_t sources_n;
	roster_id *workers; /* sorted bytewise; worker clients have at least one, others none */
	size_t workers_n;
};

struct roster;

/* path NULL: an empty roster, which knows nobody. 0: *out is the caller's, give it back with roster_free().
 * LK_ECONFIG (err names file, line, column, key and reason), LK_ENOTFOUND (no such file), LK_EMEMORY: *out is
 * untouched. */
int roster_load(const char *path, struct roster **out, struct lk_error *err) LK_MUST_CHECK;
/* The same for text in memory; name stands for the file in complaints. */
int roster_parse(const char *name, const char *text, size_t len, struct roster **out,
		 struct lk_error *err) LK_MUST_CHECK;
void roster_free(struct roster *roster); /* NULL-safe */

size_t roster_count(const struct roster *roster);
/* i < roster_count(); in the order of the names. */
const struct roster_client *roster_at(const struct roster *roster, size_t i);
/* NULL where nobody has the key or the name. Revoked clients are found: look at `revoked`. */
const struct roster_client *roster_find_key(const struct roster *roster, const uint8_t key[ROSTER_KEY]);
const struct roster_client *roster_find_name(const struct roster *roster, struct lk_text name);

/* False for everyone else's role, for a revoked client and for NULL. */
bool roster_may_speak_for(const struct roster_client *client, struct lk_text source);
bool roster_may_read(const struct roster_client *client, struct lk_text worker);
/* Its `workers` are ['*'], every worker: the embedded default's, and refused where anyone outside the machine can call. */
bool roster_reads_all(const struct roster_client *client);
/* Some client that is let in and reads this worker's mailbox, or NULL. */
const struct roster_client *roster_reader(const struct roster *roster, struct lk_text worker);
bool roster_has_role(const struct roster_client *client, enum roster_role role);
const char *roster_role_word(enum roster_role role); /* "publisher", … */

/* A public key as people write it: 40 characters of Z85 (ZeroMQ RFC 32), and back. -1 for anything else. */
int roster_key_parse(struct lk_text z85, uint8_t out[ROSTER_KEY]) LK_MUST_CHECK;
void roster_key_print(const uint8_t key[ROSTER_KEY], char out[ROSTER_KEY_TEXT]);

#endif

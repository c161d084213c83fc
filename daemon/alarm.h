/* alarm.h - what somebody should look at: one list gives the alarms and their words. A leaf.
 *
 * A standing alarm holds from its cause to its cause's end; the others tell that something has
 * happened, each time that it does. Nothing here can name a person or a case. One thread.
 */
#ifndef LINKAGES_ALARM_H
#define LINKAGES_ALARM_H

#include <linkages/wire.h>

/* A(enumerator, word, does it stand, what it tells) */
#define ALARMS(A) \
	A(ALARM_CLOCK_SUSPECT, "clock_suspect", true, \
	  "the machine's clock has jumped: wakes stop until it is right again, or accepted") \
	A(ALARM_LOW_DISK, "low_disk", true, "no more events are asked for until there is room") \
	A(ALARM_STORE_FAILS, "store_fails", true, \
	  "a batch could not be written: nothing is acknowledged, it is tried again") \
	A(ALARM_SOURCE_GAP, "source_gap", false, \
	  "an outbox has forgotten what we do not have: only the agency can say it again") \
	A(ALARM_CONFLICT, "conflict", false, \
	  "the same id or place came with other content: refused and kept aside") \
	A(ALARM_FEED_GAP, "feed_gap", false, "a dense source has numbers that never came") \
	A(ALARM_STORE_REBUILT, "store_rebuilt", false, \
	  "a sync had failed, something was damaged, or the database was behind its mark: outboxes are asked again") \
	A(ALARM_ROW_DAMAGED, "row_damaged", false, \
	  "a row was not what was written: it is set aside, and shown to nobody") \
	A(ALARM_MAILBOX_AHEAD, "mailbox_ahead", false, \
	  "a client has notices that we do not: this is an old copy, or the client's is another's") \
	A(ALARM_STORE_OLD, "store_old", false, \
	  "an outbox was told that more is safe here than is here: this is an older copy of the store; mailboxes begin anew") \
	A(ALARM_EXPUNGED_BACK, "expunged_back", true, \
	  "cases that were expunged are in the store: by an older backup, or an order that was cut short") \
	A(ALARM_OUTBOXES_AWAITED, "outboxes_awaited", true, \
	  "a damage has taken events: nothing falls due, and late events, corrections and links wait until outboxes have sent them again")

#define ALARM_ENUMERATOR(name, word, stands, what) name,
enum alarm { ALARMS(ALARM_ENUMERATOR) alarm_count };

/* Counts it and writes a line `alarm=WORD ...`; a standing one that stands already is left alone. */
void alarm_raise(enum alarm alarm, const char *format, ...) LK_PRINTF(2, 3);
/* The cause of a standing alarm has ended; of one that does not stand: nothing. */
void alarm_clear(enum alarm alarm);
bool alarm_stands(enum alarm alarm);
const char *alarm_word(enum alarm alarm);
int64_t alarm_raised(enum alarm alarm); /* how often since the start */
/* Appends one map of those that were raised since the start: word to {stands, raised}. */
void alarms_put(struct lk_bytes *out);

#endif

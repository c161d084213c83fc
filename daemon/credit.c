/* credit.c - back-pressure as numbers.
 *
 * In: what commits take, what the disk has left. Out: how much more may come, and how much of it
 * one commit takes. Promise: whatever is granted is never taken back, and the offer reaches zero
 * while there is still room to finish what was granted.
 */
#include "credit.h"

#define AVERAGE_OVER 8

void credit_start(struct credit *credit, int64_t most, int64_t reserve)
{
	*credit = (struct credit){ .most = most, .free_bytes = INT64_MAX, .reserve = reserve };
}

void credit_learn(struct credit *credit, int64_t commit_us)
{
	credit->commit_us += (commit_us - credit->commit_us) / AVERAGE_OVER;
}

static int64_t at_least(int64_t value, int64_t floor)
{
	return value < floor ? floor : value;
}

int64_t credit_offer(const struct credit *credit)
{
	int64_t offer = credit->most,
		floor = credit->most < CREDIT_FLOOR ? credit->most : CREDIT_FLOOR;

	if (credit->free_bytes <= credit->reserve)
		return 0;
	if (credit->commit_us > CREDIT_COMMIT_US)
		offer = at_least(offer * CREDIT_COMMIT_US / credit->commit_us, floor);
	if (credit->free_bytes < CREDIT_DISK_PLENTY * credit->reserve) {
		int64_t whole = (CREDIT_DISK_PLENTY - 1) * credit->reserve,
			part = credit->free_bytes - credit->reserve;
		offer = at_least(offer * part / whole, 1);
	}
	return offer;
}

int64_t credit_limit(int64_t limit, int64_t upto, int64_t offer)
{
	return upto + offer > limit ? upto + offer : limit;
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static int64_t patience_at(const struct patience *p, int64_t now_us)
{
	int64_t earned = (now_us - p->at_us) * PATIENCE_A_SECOND * PATIENCE_PER_EVENT / LK_SECOND;
	int64_t most = PATIENCE_MOST * PATIENCE_PER_EVENT;

	return earned < most - p->left ? p->left + earned : most;
}

void patience_start(struct patience *patience, int64_t now_us)
{
	*patience = (struct patience){ PATIENCE_MOST * PATIENCE_PER_EVENT, now_us };
}

void patience_learn(struct patience *patience, int64_t accepted, int64_t refused, int64_t now_us)
{
	int64_t most = PATIENCE_MOST * PATIENCE_PER_EVENT;
	int64_t left = patience_at(patience, now_us) + accepted - refused * PATIENCE_PER_EVENT;

	patience->left = left > most ? most : at_least(left, -most);
	patience->at_us = now_us;
}

int64_t patience_offer(const struct patience *patience, int64_t offer, int64_t now_us)
{
	int64_t left = at_least(patience_at(patience, now_us), 0) / PATIENCE_PER_EVENT;

	return left >= PATIENCE_MOST / 2 || left > offer ? offer : left;
}

/* ---- One commit ------------------------------------------------------------------------------ */

size_t credit_turn(size_t room, size_t n, int64_t work_us, int64_t aim_us, size_t most)
{
	size_t fits;

	if (work_us > aim_us) {
		fits = (size_t)((int64_t)n * aim_us / work_us);
		return fits > 0 ? fits : 1;
	}
	if (n < room || 2 * work_us > aim_us)
		return room;
	return 2 * room < most ? 2 * room : most;
}

int64_t credit_add(int64_t have, int64_t n)
{
	return n >= CREDIT_NOTICES_MAX - have ? CREDIT_NOTICES_MAX : have + n;
}

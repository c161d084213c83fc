/* metrics.c - counters.
 *
 * In: "it happened". Out: a map of numbers. Promise: a counter never runs backwards and never says
 * who.
 */
#include "metrics.h"

static int64_t counters[metric_count];

#define METRIC_WORD(name, word, what) [name] = word,
static const char *const words[] = { METRICS(METRIC_WORD) };

void metric_add(enum metric metric, int64_t n)
{
	counters[metric] += n;
}

int64_t metric_get(enum metric metric)
{
	return counters[metric];
}

void metrics_put(struct lk_bytes *out)
{
	lk_put_map(out, metric_count);
	for (size_t i = 0; i < metric_count; i++) {
		lk_put_word(out, words[i]);
		lk_put_int(out, counters[i]);
	}
}

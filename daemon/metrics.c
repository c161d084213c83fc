/* metrics.c - the numbers, and how they are told.
 *
 * In: "it happened", "it is so much". Out: a map of numbers, or Prometheus' text. Promise: a counter never runs backwards;
 * nothing here says who; telling them looks at memory only.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define PREFIX "linkages_"
#define TOTAL "_total"

struct cell {
	struct cell *next;
	int64_t value;
	char labels[]; /* as they are told, without the braces */
};

/* Upper bounds; what is above the last is told as +Inf. */
static const int64_t time_bounds[] = { 500,    1000,   2500,   5000,    10000,   25000,   50000,
				       100000, 250000, 500000, 1000000, 2500000, 10000000 };
static const int64_t size_bounds[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048 };
#define BOUNDS_MAX COUNT(time_bounds)

struct histogram {
	int64_t n, sum, within[BOUNDS_MAX];
};

#define METRIC_ROW(name, kind, word, labels, what) [name] = { kind, word, labels, what },
static const struct metric_row rows[] = { METRICS(METRIC_ROW) };
static struct cell *cells[metric_count];
static struct histogram histograms[metric_count];

const struct metric_row *metric_row(enum metric metric)
{
	return &rows[metric];
}

static bool is_counter(enum metric metric)
{
	return rows[metric].kind == METRIC_COUNTER || rows[metric].kind == METRIC_CPU;
}

static bool is_histogram(enum metric metric)
{
	return rows[metric].kind == METRIC_TIMES || rows[metric].kind == METRIC_SIZES;
}

const char *metric_type(enum metric metric)
{
	return is_histogram(metric) ? "histogram" : is_counter(metric) ? "counter" : "gauge";
}

/* ---- Counting ---- */

int64_t *metric_cell(enum metric metric, const char *labels)
{
	static int64_t nobody_reads;
	struct cell **at = &cells[metric], *made;
	size_t len = strlen(labels) + 1;

	while (*at != NULL && strcmp((*at)->labels, labels) != 0)
		at = &(*at)->next;
	if (*at != NULL)
		return &(*at)->value;
	made = calloc(1, sizeof(*made) + len);
	if (made == NULL)
		return &nobody_reads;
	memcpy(made->labels, labels, len);
	*at = made;
	return &made->value;
}

int64_t metric_sum(int64_t a, int64_t b)
{
	return b < METRIC_MOST - a ? a + b : METRIC_MOST;
}

void metric_add_to(enum metric metric, const char *labels, int64_t n)
{
	int64_t *cell = metric_cell(metric, labels);

	*cell = metric_sum(*cell, n);
}

void metric_add(enum metric metric, int64_t n)
{
	metric_add_to(metric, "", n);
}

void metric_set(enum metric metric, const char *labels, int64_t value)
{
	*metric_cell(metric, labels) = value;
}

int64_t metric_get(enum metric metric)
{
	int64_t sum = 0;

	for (const struct cell *c = cells[metric]; c != NULL; c = c->next)
		sum = metric_sum(sum, c->value);
	return sum;
}

static const int64_t *bounds_of(enum metric metric, size_t *n)
{
	bool times = rows[metric].kind == METRIC_TIMES;

	*n = times ? COUNT(time_bounds) : COUNT(size_bounds);
	return times ? time_bounds : size_bounds;
}

void metric_observe(enum metric metric, int64_t value)
{
	struct histogram *h = &histograms[metric];
	size_t n, i = 0;
	const int64_t *bounds = bounds_of(metric, &n);

	while (i < n && value > bounds[i])
		i++;
	if (i < n)
		h->within[i]++;
	h->n++;
	h->sum += value;
}

/* ---- Telling ---- */

struct lk_text metric_short_name(enum metric counter)
{
	const char *name = rows[counter].name;
	size_t len = strlen(name) - strlen(TOTAL);
	bool ours = strncmp(name, PREFIX, strlen(PREFIX)) == 0;
	size_t skip = ours ? strlen(PREFIX) : 0;

	return (struct lk_text){ name + skip, (uint32_t)(len - skip) };
}

void metrics_put(struct lk_bytes *out)
{
	uint32_t n = 0;

	for (int i = 0; i < metric_count; i++)
		n += rows[i].kind == METRIC_COUNTER;
	lk_put_map(out, n);
	for (int i = 0; i < metric_count; i++) {
		if (rows[i].kind != METRIC_COUNTER)
			continue;
		lk_put_text(out, metric_short_name((enum metric)i));
		lk_put_int(out, metric_get((enum metric)i));
	}
}

static void print(struct lk_bytes *out, const char *format, ...) LK_PRINTF(2, 3);
static void print(struct lk_bytes *out, const char *format, ...)
{
	char line[512];
	va_list values;
	int len;

	va_start(values, format);
	len = vsnprintf(line, sizeof(line), format, values);
	va_end(values);
	if (len > 0)
		lk_bytes_add(out, line,
			     (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);
}

static void print_value(struct lk_bytes *out, enum metric metric, int64_t value)
{
	static const bool in_seconds[] = { [METRIC_CLOCK] = true,
					   [METRIC_CPU] = true,
					   [METRIC_TIMES] = true,
					   [METRIC_SIZES] = false };

	if (in_seconds[rows[metric].kind])
		print(out, "%s%" PRId64 ".%06" PRId64, value < 0 ? "-" : "",
		      (value < 0 ? -value : value) / LK_SECOND,
		      (value < 0 ? -value : value) % LK_SECOND);
	else
		print(out, "%" PRId64, value);
}

static void print_cell(struct lk_bytes *out, enum metric metric, const char *labels, int64_t value)
{
	print(out, *labels != '\0' ? "%s{%s} " : "%s%s ", rows[metric].name, labels);
	print_value(out, metric, value);
	print(out, "\n");
}

static void print_cells(struct lk_bytes *out, enum metric metric)
{
	if (cells[metric] == NULL && is_counter(metric) && *rows[metric].labels == '\0')
		print_cell(out, metric, "", 0);
	for (const struct cell *c = cells[metric]; c != NULL; c = c->next)
		print_cell(out, metric, c->labels, c->value);
}

static void print_histogram(struct lk_bytes *out, enum metric metric)
{
	const struct histogram *h = &histograms[metric];
	const char *name = rows[metric].name;
	size_t n;
	const int64_t *bounds = bounds_of(metric, &n);
	int64_t within = 0;

	for (size_t i = 0; i < n; i++) {
		within += h->within[i];
		print(out, "%s_bucket{le=\"", name);
		print_value(out, metric, bounds[i]);
		print(out, "\"} %" PRId64 "\n", within);
	}
	print(out, "%s_bucket{le=\"+Inf\"} %" PRId64 "\n%s_sum ", name, h->n, name);
	print_value(out, metric, h->sum);
	print(out, "\n%s_count %" PRId64 "\n", name, h->n);
}

void metrics_print(struct lk_bytes *out)
{
	for (int i = 0; i < metric_count; i++) {
		print(out, "# HELP %s %s\n# TYPE %s %s\n", rows[i].name, rows[i].what, rows[i].name,
		      metric_type((enum metric)i));
		if (is_histogram((enum metric)i))
			print_histogram(out, (enum metric)i);
		else
			print_cells(out, (enum metric)i);
	}
}

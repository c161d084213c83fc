/* metrics_doc.c - prints docs/metrics.md: every metric, its kind, its labels and what it is.
 *
 * In: the list of daemon/metrics.h. Out: Markdown on standard output. Promise: what a daemon tells is what is described, for
 * both are the same rows.
 *
 * Built as linkages-metrics-doc, not installed. tests/lint/monitoring.py holds its output against the committed file.
 */
#include "metrics.h"

#include <stdio.h>

static void row_print(enum metric metric)
{
	const struct metric_row *row = metric_row(metric);

	printf("| `%s` | %s | %s | %s |\n", row->name, metric_type(metric), row->labels, row->what);
}

int main(void)
{
	fputs("# Metrics\n\n"
	      "What `/metrics` on the http lane tells, in Prometheus' text format. Made from the list in "
	      "`daemon/metrics.h`\nby `tests/lint/monitoring.py --write`; do not edit. Counters begin at 0 with "
	      "each start. Nothing here can name a\nperson or a case: labels are sources, lanes and codes. "
	      "[monitoring/](monitoring/) has alert rules and a dashboard\nover them, [runbook.md](runbook.md) "
	      "what to do about each alert.\n\n"
	      "| metric | type | labels | what it is |\n|---|---|---|---|\n",
	      stdout);
	for (int i = 0; i < metric_count; i++)
		row_print((enum metric)i);
	return 0;
}

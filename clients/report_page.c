/* report_page.c - the evaluation as one HTML page with plots.
 *
 * In: counts a month. Out: a file that needs no other, no script and no network. Promise: every plot's numbers stand in the
 * table below it; it prints well and reads well without colours.
 */
#include "report.h"

#include <string.h>

#define WIDTH 760
#define HEIGHT 220
#define LEFT 48
#define RIGHT 12
#define TOP 14
#define BOTTOM 34
#define SERIES_MAX 3

static const struct plot {
	const char *title, *unit;
	int bars; /* 1: bars side by side; 0: lines */
	int n;
	struct {
		enum report_column column;
		const char *name;
	} series[SERIES_MAX];
} plots[] = {
	{ "Mutual families",
	  "families at the month's end",
	  0,
	  3,
	  { { REPORT_primary, "primary (CalWORKs only)" },
	    { REPORT_secondary, "secondary" },
	    { REPORT_tertiary, "tertiary" } } },
	{ "Share of cases that are mutual",
	  "percent of open cases",
	  0,
	  2,
	  { { REPORT_cws_share, "CWS" }, { REPORT_calworks_share, "CalWORKs" } } },
	{ "From mutual to consent",
	  "days, the middle family",
	  0,
	  1,
	  { { REPORT_consent_days, "days" } } },
	{ "Pre-Linkages team meetings",
	  "called for, and held in time",
	  1,
	  2,
	  { { REPORT_pltm_needed, "called for" }, { REPORT_pltm_on_time, "on time" } } },
	{ "Linkages team meetings",
	  "called for, and held with the family in time",
	  1,
	  2,
	  { { REPORT_ltm_needed, "called for" }, { REPORT_ltm_on_time, "on time" } } },
	{ "Sanctions ended",
	  "cases",
	  1,
	  2,
	  { { REPORT_sanctions_ended, "all" },
	    { REPORT_sanctions_mutual, "in mutual families" } } },
	{ "CWS closures told to CalWORKs before their day",
	  "cases of mutual families",
	  1,
	  2,
	  { { REPORT_cws_closures, "closed" }, { REPORT_cws_told, "told before" } } },
	{ "CalWORKs closures told to CWS before their day",
	  "cases of mutual families",
	  1,
	  2,
	  { { REPORT_calworks_closures, "closed" }, { REPORT_calworks_told, "told before" } } },
	{ "Referrals",
	  "CWS cases opened as referral or emergency response",
	  1,
	  2,
	  { { REPORT_referrals, "all" }, { REPORT_repeats, "repeats" } } },
};

static const char *const colours[SERIES_MAX] = { "#1b5e8c", "#c8662b", "#5b8c3a" };
static const char *const dashes[SERIES_MAX] = { "none", "6 3", "2 3" };

static void print_escaped(const char *text, FILE *to)
{
	static const struct {
		char plain;
		const char *written;
	} marks[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" } };

	for (; *text != '\0'; text++) {
		const char *written = NULL;

		for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
			if (*text == marks[i].plain)
				written = marks[i].written;
		if (written != NULL)
			(void)fputs(written, to);
		else
			(void)fputc(*text, to);
	}
}

static int64_t value_of(const struct report *r, const struct plot *p, size_t month, int series)
{
	int64_t value = r->months[month].value[p->series[series].column];

	return value < 0 ? 0 : value;
}

/* The least of 1, 2, 5, 10, 20, … that is not below the highest value. */
static int64_t scale_of(const struct report *r, const struct plot *p)
{
	static const int64_t steps[] = { 1, 2, 5 };
	int64_t most = 1;

	for (size_t m = 0; m < r->n; m++)
		for (int s = 0; s < p->n; s++)
			most = value_of(r, p, m, s) > most ? value_of(r, p, m, s) : most;
	for (int64_t ten = 1;; ten *= 10)
		for (size_t i = 0; i < 3; i++)
			if (steps[i] * ten >= most)
				return steps[i] * ten;
}

static double x_of(const struct report *r, double month)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * (month + 0.5) / (double)r->n;
}

static double y_of(int64_t value, int64_t scale)
{
	return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (double)value / (double)scale;
}

static void print_axes(const struct report *r, int64_t scale, FILE *to)
{
	size_t every = r->n / 12 + 1;

	for (int i = 0; i <= 2; i++) {
		int64_t value = scale * i / 2;

		if (i == 1 && scale % 2 != 0)
			continue;
		(void)fprintf(to,
			      "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>"
			      "<text x=\"%d\" y=\"%.1f\" class=\"y\">%lld</text>\n",
			      LEFT, WIDTH - RIGHT, y_of(value, scale), y_of(value, scale), LEFT - 6,
			      y_of(value, scale) + 4, (long long)value);
	}
	for (size_t m = 0; m < r->n; m += every)
		(void)fprintf(to, "<text x=\"%.1f\" y=\"%d\" class=\"x\">%04d-%02d</text>\n",
			      x_of(r, (double)m), HEIGHT - BOTTOM + 16, r->months[m].year,
			      r->months[m].month);
}

static void print_bars(const struct report *r, const struct plot *p, int series, int64_t scale,
		       FILE *to)
{
	double width = (WIDTH - LEFT - RIGHT) / (double)r->n * 0.7 / p->n;

	for (size_t m = 0; m < r->n; m++) {
		int64_t value = value_of(r, p, m, series);

		(void)fprintf(
			to,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\">"
			"<title>%04d-%02d: %lld</title></rect>\n",
			x_of(r, (double)m) + width * (series - p->n / 2.0), y_of(value, scale),
			width, HEIGHT - BOTTOM - y_of(value, scale), colours[series],
			r->months[m].year, r->months[m].month, (long long)value);
	}
}

static void print_line(const struct report *r, const struct plot *p, int series, int64_t scale,
		       FILE *to)
{
	(void)fprintf(
		to,
		"<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"%s\" points=\"",
		colours[series], dashes[series]);
	for (size_t m = 0; m < r->n; m++)
		(void)fprintf(to, "%.1f,%.1f ", x_of(r, (double)m),
			      y_of(value_of(r, p, m, series), scale));
	(void)fputs("\"/>\n", to);
	for (size_t m = 0; m < r->n; m++)
		(void)fprintf(
			to,
			"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>%04d-%02d: "
			"%lld</title></circle>\n",
			x_of(r, (double)m), y_of(value_of(r, p, m, series), scale), colours[series],
			r->months[m].year, r->months[m].month,
			(long long)value_of(r, p, m, series));
}

static void print_plot(const struct report *r, const struct plot *p, FILE *to)
{
	int64_t scale = scale_of(r, p);

	(void)fputs("<figure><figcaption><b>", to);
	print_escaped(p->title, to);
	(void)fputs("</b>: ", to);
	print_escaped(p->unit, to);
	(void)fprintf(to, "</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", WIDTH,
		      HEIGHT);
	print_axes(r, scale, to);
	for (int s = 0; s < p->n && s < SERIES_MAX; s++) {
		if (p->bars)
			print_bars(r, p, s, scale, to);
		else
			print_line(r, p, s, scale, to);
		(void)fprintf(
			to,
			"<rect x=\"%d\" y=\"%d\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%d\" "
			"y=\"%d\" class=\"l\">%s</text>\n",
			LEFT + s * 220, HEIGHT - 13, colours[s], LEFT + s * 220 + 15, HEIGHT - 4,
			p->series[s].name);
	}
	(void)fputs("</svg></figure>\n", to);
}

static void print_table(const struct report *r, FILE *to)
{
	(void)fputs("<div class=\"wide\"><table><thead><tr><th>month</th>", to);
	for (size_t c = 0; c < REPORT_COLUMNS_N; c++) {
		(void)fputs("<th title=\"", to);
		print_escaped(report_headings[c].help, to);
		(void)fputs("\">", to);
		print_escaped(report_headings[c].heading, to);
		(void)fputs("</th>", to);
	}
	(void)fputs("</tr></thead><tbody>\n", to);
	for (size_t m = 0; m < r->n; m++) {
		(void)fprintf(to, "<tr><th>%04d-%02d</th>", r->months[m].year, r->months[m].month);
		for (size_t c = 0; c < REPORT_COLUMNS_N; c++)
			if (r->months[m].value[c] < 0)
				(void)fputs("<td>–</td>", to);
			else
				(void)fprintf(to, "<td>%lld</td>",
					      (long long)r->months[m].value[c]);
		(void)fputs("</tr>\n", to);
	}
	(void)fputs("</tbody></table></div>\n<dl>", to);
	for (size_t c = 0; c < REPORT_COLUMNS_N; c++) {
		(void)fputs("<dt>", to);
		print_escaped(report_headings[c].heading, to);
		(void)fputs("</dt><dd>", to);
		print_escaped(report_headings[c].help, to);
		(void)fputs("</dd>\n", to);
	}
	(void)fputs("</dl>\n", to);
}

static const char style[] =
	"body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1d1d1d;"
	"background:#fff}figure{margin:1.5rem 0;break-inside:avoid}svg{width:100%;max-width:760px;height:auto}"
	".grid{stroke:#d5d5d5}.y,.x,.l{font-size:11px;fill:#444}.y{text-anchor:end}.x{text-anchor:middle}"
	".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13px}"
	"th,td{padding:.25rem .5rem;border-bottom:1px solid #ddd;text-align:right}thead th{vertical-align:bottom}"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;font-size:13px}dd{margin:0}";

void report_page(const struct report *r, const char *title, FILE *to)
{
	(void)fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>",
		    to);
	print_escaped(title, to);
	(void)fprintf(to, "</title>\n<style>%s</style></head><body>\n<h1>", style);
	print_escaped(title, to);
	(void)fprintf(to, "</h1>\n<p>%lld families, by month. Counts only: nobody is named.</p>\n",
		      (long long)r->families);
	for (size_t i = 0; i < sizeof(plots) / sizeof(plots[0]); i++)
		print_plot(r, &plots[i], to);
	print_table(r, to);
	(void)fputs("</body></html>\n", to);
}

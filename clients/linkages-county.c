/* linkages-county.c - plays a county: the event feeds of two agencies, for demo, tests, training.
 *
 * In: how many families, how many days, a seed, the first day. Out: one NDJSON file a source (and a
 * day, if asked), each line an event, in the order in which the events become known at their
 * agency; and a table of the workers.
 * Promise: the same options give the same bytes; every event is one that an agency could say; the
 * agencies share families in the proportions of the state's match table (of aided children 14 % are
 * in child welfare too; of referred children 36 % and of children in cases 47 % are aided too).
 * Names, numbers and phones are invented.
 *
 * What was before the first day is the caseload with which a county goes live: it is all known at
 * 05:00 of that day.
 */
#include "county.h"
#include "options.h"
#include "progress.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Who lives in the county ---------------------------------------------------------------- */

static const struct weighted child_counts[] = {
	{ 1, 40 }, { 2, 32 }, { 3, 17 }, { 4, 8 }, { 5, 3 }, { 0, 0 },
};

/* The match table, solved for families with three referrals to a case: of 1,000 families so many
 * are of each kind. */
static const struct kind {
	int per_mille;
	bool aided;
	enum cws cws;
} kinds[] = {
	{ 704, true, NOT_IN_CWS }, /* the rest of the aided, of whom 14 % are in child welfare too */
	{ 80, true, REFERRED },    /* 36 % of the referred */
	{ 35, true, IN_CASE },     /* 47 % of those in cases */
	{ 142, false, REFERRED },  { 39, false, IN_CASE },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Families are dealt in turn like cards, so that the proportions hold for few families too. */
static const struct kind *kind_of(unsigned number)
{
	int at = (int)((number * UINT64_C(619)) % 1000); /* 619 and 1,000 have no common divisor */
	const struct kind *k = kinds;

	while (k < kinds + KINDS - 1 && at >= k->per_mille)
		at -= k++->per_mille;
	return k;
}

static void open_side(struct county *c, struct family *f, int agency, int per_mille_new,
		      int before_lo, int before_hi)
{
	struct side *s = &f->side[agency];
	lk_date day = c->options.start - chance_between(&f->chance, before_lo, before_hi);

	if (chance_of(&f->chance, per_mille_new))
		day = c->options.start + chance_between(&f->chance, 0, (int)c->options.days - 1);
	s->has = true;
	s->opened_at = office_hour(f, day);
	s->closed_at = INT64_MAX;
	if (agency == LK_CWS)
		snprintf(s->number, sizeof(s->number), "%04u-%04u-%04u", f->number / 9000 + 1,
			 f->number % 9000 + 1000, f->number * 7919 % 10000);
	else
		snprintf(s->number, sizeof(s->number), "1B%05X", f->number * 5 + 4096);
}

static void family_make(struct county *c, unsigned number)
{
	struct family *f = &c->family[number];
	const struct kind *k = kind_of(number);

	*f = (struct family){ .number = number, .namesake = number, .cws = k->cws };
	f->chance.state = c->options.seed * UINT64_C(0xD1342543DE82EF95) + number;
	f->children = (unsigned)chance_pick(&f->chance, child_counts);
	f->shares_cin = chance_of(&f->chance, 350);
	if (k->aided)
		open_side(c, f, LK_CALWORKS, 60, 20, 900);
	if (k->cws == REFERRED)
		open_side(c, f, LK_CWS, 500, 1, 20);
	else if (k->cws == IN_CASE)
		open_side(c, f, LK_CWS, 200, 10, 500);
}

/* Of a thousand families known to child welfare alone, so many have the name of an aided one. */
#define NAMESAKES 30

static void family_name(struct county *c, unsigned number)
{
	struct family *f = &c->family[number];

	if (f->cws == NOT_IN_CWS || f->side[LK_CALWORKS].has || !chance_of(&f->chance, NAMESAKES))
		return;
	for (unsigned i = 1; i < c->options.families; i++) {
		unsigned other = (number + i) % c->options.families;

		if (c->family[other].cws == NOT_IN_CWS && c->family[other].namesake == other) {
			f->namesake = other;
			return;
		}
	}
}

/* ---- Staff ---------------------------------------------------------------------------------- */

static const char *const surnames[] = {
	"Garcia",  "Jones",   "Okafor", "Ito",     "Nguyen", "Lopez",   "Singh",  "Alvarez",
	"Baker",   "Chen",    "Diaz",   "Evans",   "Flores", "Gomez",   "Haddad", "Ibarra",
	"Jackson", "Kim",     "Lam",    "Morales", "Novak",  "Ortega",  "Park",   "Quinn",
	"Reyes",   "Santos",  "Torres", "Ueda",    "Vargas", "Walker",  "Xiong",  "Yamada",
	"Zamora",  "Adeyemi", "Brooks", "Castro",  "Dang",   "Estrada", "Fong",   "Grant",
};
#define SURNAMES (sizeof(surnames) / sizeof(surnames[0]))
static const char *const area_codes[] = { "925", "510", "707", "209", "559" };
#define AREA_CODES (sizeof(area_codes) / sizeof(area_codes[0]))
static_assert(STAFF_MAX == 26 * SURNAMES, "no two have both surname and letter");

static void worker_make(struct worker *w, unsigned number, enum group group)
{
	const char *surname = surnames[number % SURNAMES];
	/* The letter goes once round the alphabet for each surname: no two have both. */
	int letter = (int)((number / SURNAMES + 3 * (number % SURNAMES)) % 26);

	*w = (struct worker){ .group = group };
	snprintf(w->name, sizeof(w->name), "%c. %s", 'A' + letter, surname);
	snprintf(w->id, sizeof(w->id), "%c.%c%s", 'a' + letter, surname[0] - 'A' + 'a',
		 surname + 1);
	snprintf(w->phone, sizeof(w->phone), "%s-555-01%02u", area_codes[number / 100 % AREA_CODES],
		 number % 100);
}

static void staff_make(struct county *c)
{
	unsigned families[AGENCIES] = { 0, 0 }, number = 0;

	for (unsigned i = 0; i < c->options.families; i++)
		for (int a = 0; a < AGENCIES; a++)
			families[a] += c->family[i].side[a].has ? 1 : 0;
	for (int g = 0; g < GROUPS; g++) {
		unsigned n =
			families[county_groups[g].agency] / (unsigned)county_groups[g].caseload + 2;

		c->first_of[g] = number;
		while (n-- > 0 && number < STAFF_MAX - (unsigned)(2 * (GROUPS - 1 - g))) {
			worker_make(&c->worker[number], number, (enum group)g);
			number++;
		}
	}
	c->first_of[GROUPS] = number;
}

/* ---- Out ------------------------------------------------------------------------------------ */

static int line_order(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->known_at != y->known_at)
		return x->known_at < y->known_at ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static FILE *file_open(const char *folder, const char *name, const char *ending)
{
	char path[4096];
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/%s%s", folder, name, ending) >= (int)sizeof(path))
		die("%s: the name is too long", folder);
	file = fopen(path, "w");
	if (file == NULL)
		die("%s: %s", path, strerror(errno));
	return file;
}

static void file_close(FILE *file, const char *folder)
{
	bool failed = ferror(file) != 0;

	if (fclose(file) != 0 || failed)
		die("%s: could not be written: %s", folder, strerror(errno));
}

static void folder_make(const char *path)
{
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		die("%s: %s", path, strerror(errno));
}

/* Lines of one day, numbered as they come: an agency's own order. Every line begins with '{'. */
static size_t lines_write(const struct feed *f, size_t from, lk_instant until, FILE *file)
{
	for (; from < f->n && f->line[from].known_at < until; from++) {
		progress_say("events written", (int64_t)from, (int64_t)f->n);
		fprintf(file, "{\"sequence\":\"%zu\",%s\n", from + 1, f->line[from].json + 1);
	}
	return from;
}

/* What becomes known until then, in a folder of its own. */
static size_t slice_write(const struct county *c, int agency, const char *name, size_t from,
			  lk_instant until)
{
	char folder[4096];
	FILE *file;

	if (snprintf(folder, sizeof(folder), "%s/%s", c->options.out, name) >= (int)sizeof(folder))
		die("%s: the name is too long", c->options.out);
	folder_make(folder);
	file = file_open(folder, county_sources[agency], ".ndjson");
	from = lines_write(&c->feed[agency], from, until, file);
	file_close(file, folder);
	return from;
}

static void feed_write(const struct county *c, int agency)
{
	const struct feed *f = &c->feed[agency];
	size_t at;

	qsort(f->line, f->n, sizeof(*f->line), line_order);
	if (!c->options.by_day) {
		FILE *file = file_open(c->options.out, county_sources[agency], ".ndjson");

		(void)lines_write(f, 0, INT64_MAX, file);
		file_close(file, c->options.out);
		return;
	}
	at = slice_write(c, agency, "caseload", 0, c->load_at + 1);
	for (unsigned day = 0; day < c->options.days; day++) {
		lk_date date = c->options.start + (lk_date)day;
		char name[LK_DATE_TEXT];

		lk_date_print(date, name);
		at = slice_write(c, agency, name, at, pacific_instant(date + 1, 0));
	}
}

static void staff_write(const struct county *c)
{
	FILE *file = file_open(c->options.out, "workers", ".tsv");

	for (unsigned i = 0; i < c->first_of[GROUPS]; i++) {
		const struct worker *w = &c->worker[i];

		fprintf(file, "%s\t%s\t%s\t%u\n", w->id,
			lk_agency_word(county_groups[w->group].agency),
			lk_role_word(county_groups[w->group].role), w->mutual);
	}
	file_close(file, c->options.out);
}

static void county_tell(const struct county *c)
{
	unsigned aided = 0, cws = 0, both = 0;

	for (unsigned i = 0; i < c->options.families; i++) {
		const struct family *f = &c->family[i];

		aided += f->side[LK_CALWORKS].has ? 1 : 0;
		cws += f->side[LK_CWS].has ? 1 : 0;
		both += f->side[LK_CALWORKS].has && f->side[LK_CWS].has ? 1 : 0;
	}
	printf("%u families: %u aided, %u in child welfare, %u in both; %u workers; "
	       "%zu events of %s, %zu of %s\n",
	       c->options.families, aided, cws, both, c->first_of[GROUPS], c->feed[LK_CWS].n,
	       county_sources[LK_CWS], c->feed[LK_CALWORKS].n, county_sources[LK_CALWORKS]);
}

/* ---- Options -------------------------------------------------------------------------------- */

static struct {
	int families, days, seed;
	const char *start, *out;
	bool by_day;
} settings = { .families = 2000, .days = 30, .seed = 1, .start = "2026-03-02", .out = "." };

static const struct option_row rows[] = {
	{ "families", 'n', OPTION_NUMBER, "N", &settings.families,
	  "families in the county, 1 to 100000 (default: 2000)" },
	{ "days", 'd', OPTION_NUMBER, "DAYS", &settings.days,
	  "days played after the caseload was loaded, 1 to 366 (default: 30)" },
	{ "seed", 0, OPTION_NUMBER, "SEED", &settings.seed,
	  "another county for each number; the same options give the same bytes (default: 1)" },
	{ "start", 0, OPTION_TEXT, "DATE", &settings.start,
	  "the first day, 2010-01-01 to 2090-12-31 (default: 2026-03-02)" },
	{ "out", 'o', OPTION_TEXT, "DIR", &settings.out,
	  "where to write; made if it is not there (default: here)" },
	{ "by-day", 0, OPTION_FLAG, NULL, &settings.by_day,
	  "folders rather than one file: `caseload`, then one a day, named by its date" },
};

static const struct tool tool = {
	.name = "linkages-county",
	.synopsis = "[OPTION]…",
	.purpose =
		"Plays a county: writes the event feeds of its two agencies, one NDJSON file a source.\n"
		"Everything in them is invented; the agencies share families in the proportions of the\n"
		"state's match table.",
	.rows = rows,
	.rows_n = sizeof(rows) / sizeof(rows[0]),
	.notes =
		"Files:\n"
		"  DIR/cws-cms.ndjson, DIR/calsaws.ndjson  the feeds, in the order in which things become known\n"
		"  DIR/workers.tsv                         worker, agency, role, and how many families of\n"
		"                                          both agencies were given to the worker\n\n"
		"Exit status: 0; 2 could not.\n\n"
		"Examples:\n"
		"  linkages-county --families 200 --days 10 --out /tmp/county\n",
};

/* -1: go on; else the status to exit with. */
static int options_take(struct options *o, int argc, char **argv)
{
	int first, status = options_parse(&tool, argc, argv, &first);

	if (status >= 0)
		return status;
	if (first < argc)
		return options_complain(&tool, "'%s' is not an option; see --help", argv[first]);
	if (settings.families < 1 || settings.families > 100000)
		return options_complain(&tool, "--families wants 1 to 100000");
	if (settings.days < 1 || settings.days > 366)
		return options_complain(&tool, "--days wants 1 to 366");
	if (lk_date_parse(lk_text_of(settings.start), &o->start) < 0 ||
	    o->start < lk_date_of(2010, 1, 1) || o->start > lk_date_of(2090, 12, 31))
		return options_complain(&tool, "--start wants a day like 2026-03-02, 2010 to 2090");
	o->families = (unsigned)settings.families;
	o->days = (unsigned)settings.days;
	o->seed = (uint64_t)settings.seed;
	o->out = settings.out;
	o->by_day = settings.by_day;
	return -1;
}

static void county_free(struct county *c)
{
	for (int a = 0; a < AGENCIES; a++) {
		for (size_t i = 0; i < c->feed[a].n; i++)
			free(c->feed[a].line[i].json);
		free(c->feed[a].line);
	}
	free(c->family);
	lk_bytes_free(&c->wire);
	lk_bytes_free(&c->json);
}

int main(int argc, char **argv)
{
	static struct county c;
	int status = options_take(&c.options, argc, argv);

	if (status >= 0)
		return status;
	c.load_at = pacific_instant(c.options.start, 5 * 60);
	c.end_at = pacific_instant(c.options.start + (lk_date)c.options.days, 0);
	/* Known to everyone, since the people are nobody: a county's own key never leaves its agencies. */
	memcpy(c.key, "linkages-county: nobody's secret", LK_IDENTITY_KEY);
	c.family = room_for(NULL, c.options.families, sizeof(*c.family));
	for (unsigned i = 0; i < c.options.families; i++)
		family_make(&c, i);
	for (unsigned i = 0; i < c.options.families; i++)
		family_name(&c, i);
	staff_make(&c);
	for (unsigned i = 0; i < c.options.families; i++) {
		progress_say("families", i, c.options.families);
		family_live(&c, &c.family[i]);
	}
	folder_make(c.options.out);
	for (int a = 0; a < AGENCIES; a++)
		feed_write(&c, a);
	staff_write(&c);
	progress_end();
	county_tell(&c);
	county_free(&c);
	return 0;
}

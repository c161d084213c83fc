/* policy.h - a county's policy file, read and checked whole.
 *
 * The structs are engine/policy.h; here is where the file, the tz database and the revision are.
 */
#ifndef LINKAGES_POLICY_FILE_H
#define LINKAGES_POLICY_FILE_H

#include "engine/policy.h"

/* Reads a policy file (YAML; daemon/policy.yaml explains every key) over the built-in default, so that what the file
 * leaves out keeps its built-in value. path NULL: the built-in default with zone America/Los_Angeles.
 * 0: *out is filled, zone and revision too. LK_ECONFIG: *out is untouched and err names file, line, column, key and
 * reason; LK_ENOTFOUND: no such file; LK_EMEMORY. Main thread only, for it borrows the process's TZ (zone_read()). */
int policy_load(const char *path, struct policy *out, struct lk_error *err) LK_MUST_CHECK;

/* The same for text in memory; name stands for the file in complaints. */
int policy_parse(const char *name, const char *text, size_t len, struct policy *out,
		 struct lk_error *err) LK_MUST_CHECK;

/* The zone's changes of offset from 1990 to 2100, from the system's tz database. 0, or LK_ECONFIG for a name that the
 * database does not have (glibc would silently take UTC) and for a zone of more changes than fit; *out is untouched
 * then. TZ is set for the time of the call and then put back: no other thread may read the environment or the local
 * time meanwhile. */
int zone_read(const char *name, struct zone *out, struct lk_error *err) LK_MUST_CHECK;

#endif

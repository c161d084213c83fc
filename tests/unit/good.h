/* good.h - a call that must succeed, and says why when it does not; a test's one `err` is given to each. */
#ifndef LINKAGES_TESTS_GOOD_H
#define LINKAGES_TESTS_GOOD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linkages/base.h>

static struct lk_error err;

#define GOOD(call) \
	do { \
		int good_ = (call); \
		if (good_ < 0) \
			fail_msg("%s: %d %s", #call, good_, err.text); \
	} while (0)

#endif

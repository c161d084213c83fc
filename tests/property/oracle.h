/* oracle.h - who may learn what, written once more and apart from the engine: simple, slow, straight from domain.md,
 * section 4, over the list of events.
 */
#ifndef LINKAGES_TESTS_ORACLE_H
#define LINKAGES_TESTS_ORACLE_H

#include "world.h"

/* May this have been told? NULL, or the complaint. */
const char *oracle_told(const struct world *w, const struct heard *heard);
/* May this body be shown now, when all of the order has been taken? NULL, or the complaint. */
const char *oracle_shown(const struct world *w, const struct lk_notice *notice);

#endif

/* linkages-pub.c - planted: a tool looks into the daemon. */
#include "../daemon/store/store.h"
#include <linkages/event.h>

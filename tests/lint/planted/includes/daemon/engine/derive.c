/* derive.c - planted: the engine reaches for the store and for SQL. */
#include "../store/store.h"
#include <sqlite3.h>
#include <string.h>

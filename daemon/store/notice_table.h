/* notice_table.h - the table `notice` for whoever reads linkages.db by statements.
 *
 * Notices lie in blocks (block.c), which no statement can read. On a connection on which it was declared there is a table of
 * them beside those of the schema, also for the view notice_row.
 */
#ifndef LINKAGES_STORE_NOTICE_TABLE_H
#define LINKAGES_STORE_NOTICE_TABLE_H

#include <linkages/base.h>

#include <sqlite3.h>

/* Until the connection is closed; of the same thread. A code of SQLite's. */
int notice_table_declare(sqlite3 *db) LK_MUST_CHECK;

#endif

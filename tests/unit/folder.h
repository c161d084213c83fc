/* folder.h - a folder of a test's own, gone with everything in it when the test is over. */
#ifndef LINKAGES_TESTS_FOLDER_H
#define LINKAGES_TESTS_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER_MAX 64

static inline void folder_make(char path[FOLDER_MAX], const char *name)
{
	(void)snprintf(path, FOLDER_MAX, "/tmp/linkages-%s-XXXXXX", name);
	assert_non_null(mkdtemp(path));
}

/* Files only: what else is in it keeps it, and the test fails. */
static inline void folder_remove(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;

	assert_non_null(folder);
	while ((entry = readdir(folder)) != NULL)
		if (entry->d_name[0] != '.')
			assert_int_equal(unlinkat(dirfd(folder), entry->d_name, 0), 0);
	assert_int_equal(closedir(folder), 0);
	assert_int_equal(rmdir(path), 0);
}

/* A file of SQLite's, with what SQLite keeps beside it. */
static inline void folder_drop(const char *path)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	char file[FOLDER_MAX + 64];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		(void)snprintf(file, sizeof(file), "%s%s", path, suffixes[i]);
		(void)unlink(file);
	}
}

#endif

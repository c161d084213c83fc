# SQL becomes part of the binary: daemon/store/*.sql, as lists in store_sql.h.
file(GLOB SQL_FILES CONFIGURE_DEPENDS daemon/store/*.sql)
set(EMBEDDED_DIR "${PROJECT_BINARY_DIR}/embedded")
set(EMBEDDED_SOURCES "${EMBEDDED_DIR}/store_sql.h")
set(SQL2H "${PROJECT_SOURCE_DIR}/daemon/store/sql2h.sh")
file(MAKE_DIRECTORY "${EMBEDDED_DIR}")
add_custom_command(OUTPUT "${EMBEDDED_DIR}/store_sql.h"
	COMMAND sh "${SQL2H}" ${SQL_FILES} > "${EMBEDDED_DIR}/store_sql.h"
	DEPENDS ${SQL_FILES} "${SQL2H}" VERBATIM)

# The store's SQL, as one header of strings.
set(STORE_SQL daemon/store/linkages-1.sql daemon/store/statements.sql)
list(TRANSFORM STORE_SQL PREPEND "${PROJECT_SOURCE_DIR}/")
add_custom_command(OUTPUT "${EMBEDDED_DIR}/store_sql.h"
	COMMAND sh "${PROJECT_SOURCE_DIR}/daemon/store/sql2h.sh" ${STORE_SQL} > "${EMBEDDED_DIR}/store_sql.h"
	DEPENDS "${PROJECT_SOURCE_DIR}/daemon/store/sql2h.sh" ${STORE_SQL}
	COMMENT "SQL of the store" VERBATIM)
list(APPEND EMBEDDED_SOURCES "${EMBEDDED_DIR}/store_sql.h")

# SQL becomes part of the binary: daemon/store/*.sql, as lists in store_sql.h.
file(GLOB SQL_FILES CONFIGURE_DEPENDS daemon/store/*.sql)
set(EMBEDDED_DIR "${PROJECT_BINARY_DIR}/embedded")
set(EMBEDDED_SOURCES "${EMBEDDED_DIR}/store_sql.h")
set(SQL2H "${PROJECT_SOURCE_DIR}/daemon/store/sql2h.sh")
file(MAKE_DIRECTORY "${EMBEDDED_DIR}")
add_custom_command(OUTPUT "${EMBEDDED_DIR}/store_sql.h"
	COMMAND sh "${SQL2H}" ${SQL_FILES} > "${EMBEDDED_DIR}/store_sql.h"
	DEPENDS ${SQL_FILES} "${SQL2H}" VERBATIM)

# The commented examples, which `linkages-ctl init` writes out.
set(TEXT2H "${PROJECT_SOURCE_DIR}/cmake/text2h.sh")
foreach(name linkages policy)
	add_custom_command(OUTPUT "${EMBEDDED_DIR}/example_${name}.h"
		COMMAND sh "${TEXT2H}" example_${name} "${PROJECT_SOURCE_DIR}/daemon/${name}.yaml" > "${EMBEDDED_DIR}/example_${name}.h"
		DEPENDS "daemon/${name}.yaml" "${TEXT2H}" VERBATIM)
	list(APPEND EMBEDDED_EXAMPLES "${EMBEDDED_DIR}/example_${name}.h")
endforeach()

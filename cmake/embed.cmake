# Files that become part of the binary.
set(EMBEDDED_SOURCES)
set(EMBEDDED_DIR "${PROJECT_BINARY_DIR}/embedded")
file(MAKE_DIRECTORY "${EMBEDDED_DIR}")

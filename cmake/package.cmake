# `./dev package`: three Debian packages, their dependencies found from the binaries. tests/package/ installs, upgrades,
# removes and purges them.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME linkages)
set(CPACK_PACKAGE_CONTACT "Linkages maintainers <maintainers@linkages.invalid>")
set(CPACK_PACKAGE_HOMEPAGE_URL "https://linkages.invalid/")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL daemon library development)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PROJECT_BINARY_DIR}/lib")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each package has a first line of its own
set(VERSION_EQUAL "(= ${PROJECT_VERSION})")

# The daemon, its tools, the unit, man pages, examples. The user is made by sysusers, on a machine without systemd too.
set(CPACK_DEBIAN_DAEMON_PACKAGE_NAME linkages)
set(CPACK_DEBIAN_DAEMON_PACKAGE_SECTION net)
set(CPACK_COMPONENT_DAEMON_DESCRIPTION "${PROJECT_DESCRIPTION}
Takes in case-status events of both agencies and hands out the notices that
follow from them: the daemon, its tools, its unit, and how to operate it.")
set(CPACK_DEBIAN_DAEMON_PACKAGE_DEPENDS
	"liblinkages ${VERSION_EQUAL}, tzdata, systemd-standalone-sysusers | systemd")
set(CPACK_DEBIAN_DAEMON_PACKAGE_CONTROL_EXTRA
	"${PROJECT_SOURCE_DIR}/cmake/package/postinst;${PROJECT_SOURCE_DIR}/cmake/package/prerm;${PROJECT_SOURCE_DIR}/cmake/package/postrm")
set(CPACK_DEBIAN_DAEMON_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME liblinkages)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "Linkages: library for agencies' and workers' programs
Outbox, publisher, inbox and asker of the Linkages protocol.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA "${PROJECT_SOURCE_DIR}/cmake/package/triggers")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME liblinkages-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Linkages: headers of the library
For programs that publish events, or read a worker's notices.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "liblinkages ${VERSION_EQUAL}")
include(CPack)

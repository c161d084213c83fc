# Compiler flags: the language, the warnings, the sanitizers, the hardening. Nothing else sets a flag.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wformat=2 -Wimplicit-fallthrough
	-Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum -Werror=format-security -Werror=implicit
	-Werror=incompatible-pointer-types -Werror=int-conversion)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	add_compile_options(-Wtrampolines -Wbidi-chars=any)
endif()
if(LINKAGES_WERROR)
	add_compile_options(-Werror)
endif()

if(LINKAGES_SANITIZE)
	add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
	add_link_options(-fsanitize=address,undefined)
endif()

if(LINKAGES_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link) # coverage in what is fuzzed; the targets bring libFuzzer itself
endif()

# OpenSSF's guide for hardening C. Not with sanitizers, which FORTIFY blinds. nodlopen is left out: it would forbid
# other languages to load liblinkages.
if(LINKAGES_HARDEN)
	add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
		-fno-delete-null-pointer-checks -fno-strict-overflow)
	if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
		add_compile_options(-fcf-protection=full)
	elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
		add_compile_options(-mbranch-protection=standard)
	endif()
	if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
		add_compile_options(-ftrivial-auto-var-init=zero)
	endif()
	add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed -Wl,--no-undefined)
endif()

# program, and the libraries that it is made of: a release build optimises it across its files. The objects hold finished code
# too, and all else is linked of that, as quickly as ever; the linker's plugin is told so, for it would do it wherever it can.
function(optimise_across_files program)
	if(NOT LINKAGES_HARDEN OR NOT CMAKE_C_COMPILER_ID STREQUAL "GNU")
		return()
	endif()
	foreach(part ${program} ${ARGN})
		target_compile_options(${part} PRIVATE -flto=auto -ffat-lto-objects -fno-semantic-interposition)
	endforeach()
	get_target_property(options ${program} LINK_OPTIONS)
	list(REMOVE_ITEM options -fno-lto)
	set_target_properties(${program} PROPERTIES LINK_OPTIONS "${options};-flto=auto")
endfunction()
if(LINKAGES_HARDEN AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
	add_link_options(-fno-lto)
endif()

# SPDX-License-Identifier: Apache-2.0
# How every target of the tree is compiled, and the three words the parts use:
# valorize_library, valorize_program, valorize_test (and valorize_fuzz).

add_library(valorize_options INTERFACE)
target_compile_definitions(valorize_options INTERFACE _GNU_SOURCE)
target_compile_options(valorize_options INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -fno-omit-frame-pointer -fstack-protector-strong
    $<$<BOOL:${VALORIZE_WERROR}>:-Werror>)
if(VALORIZE_SANITIZE)
    target_compile_options(valorize_options INTERFACE
        -fsanitize=${VALORIZE_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(valorize_options INTERFACE -fsanitize=${VALORIZE_SANITIZE})
endif()
if(VALORIZE_FUZZ)
    target_compile_options(valorize_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Folders are for #include "..." only: a library that asks for <limits.h> means the system's.
function(valorize_include name scope)
    foreach(folder ${ARGN})
        target_compile_options(${name} ${scope} "SHELL:-iquote ${folder}")
    endforeach()
endfunction()

# What ./up builds, and what ./check fuzzes.
add_custom_target(programs)
add_custom_target(fuzz_targets)

# valorize_library(name SOURCES ... LINK ...): headers are included from the own folder and from
# the folders of the libraries it links.
function(valorize_library name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LINK")
    add_library(${name} STATIC ${ARG_SOURCES})
    valorize_include(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC valorize_options ${ARG_LINK})
endfunction()

function(valorize_program name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LINK")
    add_executable(${name} ${ARG_SOURCES})
    add_dependencies(programs ${name})
    valorize_include(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE valorize_options ${ARG_LINK})
endfunction()

find_package(Python3 3.11 REQUIRED COMPONENTS Interpreter)

# valorize_embed_sql(target table FILES ...): the target gets `const struct sql_file table[]` with
# the texts of the .sql files (actors/store/sql_file.h), in the order of their names.
function(valorize_embed_sql target table)
    cmake_parse_arguments(PARSE_ARGV 2 ARG "" "" "FILES")
    file(GLOB generator CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/schemas/*.py)
    list(JOIN ARG_FILES "," names)
    set(source ${VALORIZE_GENERATED}/${table}.c)
    add_custom_command(
        OUTPUT ${source}
        COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/schemas/generate.py
                ${CMAKE_SOURCE_DIR} ${VALORIZE_GENERATED} ${table}=${names}
        COMMAND ${CMAKE_COMMAND} -E touch ${source}
        DEPENDS ${generator} ${ARG_FILES}
        COMMENT "Embedding ${table}" VERBATIM)
    target_sources(${target} PRIVATE ${source})
endfunction()

# valorize_test(x_test LINK ...): x_test.c (and SOURCES), a plain executable run by ctest. With
# SERVERS it finds PostgreSQL and Redis (tests/with_servers), with OWN_SERVERS some that are its own
# to kill, with MIGRATED also the tables of schemas/database.
function(valorize_test name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "SERVERS;OWN_SERVERS;MIGRATED" "" "SOURCES;LINK")
    add_executable(${name} ${name}.c ${ARG_SOURCES})
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
    valorize_include(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE valorize_options ${ARG_LINK})
    set(runner "")
    if(ARG_SERVERS OR ARG_OWN_SERVERS OR ARG_MIGRATED)
        list(APPEND runner ${CMAKE_SOURCE_DIR}/tests/with_servers)
    endif()
    if(ARG_OWN_SERVERS)
        list(APPEND runner --own)
    endif()
    if(ARG_MIGRATED)
        list(APPEND runner --migrate ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/valorize)
    endif()
    add_test(NAME ${name} COMMAND ${runner} $<TARGET_FILE:${name}>)
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

# valorize_fuzz(x_fuzz LINK ...): x_fuzz.c with LLVMFuzzerTestOneInput; its corpus is the folder
# x_fuzz.corpus beside it.
function(valorize_fuzz name)
    if(NOT VALORIZE_FUZZ)
        return()
    endif()
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LINK")
    add_executable(${name} ${name}.c ${ARG_SOURCES})
    add_dependencies(fuzz_targets ${name})
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    valorize_include(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE valorize_options ${ARG_LINK})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()

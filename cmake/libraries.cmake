# SPDX-License-Identifier: Apache-2.0
# Debian's libraries, each as one target. msgpack-c and yyjson have two addresses: the first was
# renamed in Debian 13, the second is unpacked below build/packages on Debian 12 (`./up` does it).

find_package(PkgConfig REQUIRED)

function(valorize_import target)
    foreach(module ${ARGN})
        pkg_check_modules(${target} QUIET IMPORTED_TARGET ${module})
        if(${target}_FOUND)
            # Debian 13's msgpack-c.pc names a folder that is nowhere: "include".
            get_target_property(folders PkgConfig::${target} INTERFACE_INCLUDE_DIRECTORIES)
            if(folders)
                list(FILTER folders INCLUDE REGEX "^/")
                set_target_properties(PkgConfig::${target} PROPERTIES
                    INTERFACE_INCLUDE_DIRECTORIES "${folders}")
            endif()
            add_library(library_${target} INTERFACE)
            target_link_libraries(library_${target} INTERFACE PkgConfig::${target})
            return()
        endif()
    endforeach()
    message(FATAL_ERROR "The library ${ARGN} is missing. `./up` installs it; HACKING.md lists all.")
endfunction()

valorize_import(zmq libzmq)
valorize_import(czmq libczmq)
valorize_import(msgpack msgpack-c msgpack)
valorize_import(microhttpd libmicrohttpd)
valorize_import(pq libpq)
valorize_import(hiredis hiredis)
valorize_import(sodium libsodium)
valorize_import(lz4 liblz4)
valorize_import(curl libcurl)

set(packages ${CMAKE_SOURCE_DIR}/build/packages/usr)
find_path(YYJSON_INCLUDE yyjson.h HINTS ${packages}/include)
find_library(YYJSON_LIBRARY yyjson HINTS ${packages}/lib/${CMAKE_LIBRARY_ARCHITECTURE}
             ${packages}/lib)
if(NOT YYJSON_INCLUDE OR NOT YYJSON_LIBRARY)
    message(FATAL_ERROR "yyjson is missing. `./up` installs it; HACKING.md says how.")
endif()
add_library(library_yyjson INTERFACE)
target_include_directories(library_yyjson SYSTEM INTERFACE ${YYJSON_INCLUDE})
target_link_libraries(library_yyjson INTERFACE ${YYJSON_LIBRARY})

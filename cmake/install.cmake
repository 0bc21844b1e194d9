# What `cmake --install` puts under the prefix, and what the build directory offers in its place:
#
#   libft_malloc.so -> libft_malloc_$HOSTTYPE.so -> libft_malloc.so.1 -> libft_malloc.so.1.1.0
#   libft_malloc.a, ft_malloc.h, manual pages, the licence and the changelog
#   ftm and its completion for bash, if elfutils is there
#   pkgconfig/ft_malloc.pc, and cmake/ft_malloc/ for find_package(ft_malloc)
#
# The second name is the library's traditional one. No installed file names the prefix, so the whole
# tree may be moved, or staged with DESTDIR.

set(hosttype "$ENV{HOSTTYPE}")
if(NOT hosttype)
  set(hosttype "${CMAKE_HOST_SYSTEM_PROCESSOR}_${CMAKE_HOST_SYSTEM_NAME}")
endif()
set(FT_MALLOC_HOSTTYPE "${hosttype}" CACHE STRING "Part of the library's traditional name")
set(traditional_name libft_malloc_${FT_MALLOC_HOSTTYPE}.so)
set(soname libft_malloc.so.${PROJECT_VERSION_MAJOR})
set_target_properties(ft_malloc PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} EXPORT_NAME shared)
set_target_properties(ft_malloc_static PROPERTIES EXPORT_NAME static)

# The two links that CMake does not make by itself.
file(CREATE_LINK ${soname} ${CMAKE_BINARY_DIR}/${traditional_name} SYMBOLIC)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/links)
file(CREATE_LINK ${traditional_name} ${CMAKE_BINARY_DIR}/links/libft_malloc.so SYMBOLIC)

install(TARGETS ft_malloc ft_malloc_static EXPORT ft_malloc-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_SKIP
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_BINARY_DIR}/${traditional_name} ${CMAKE_BINARY_DIR}/links/libft_malloc.so
    DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${CMAKE_SOURCE_DIR}/include/ft_malloc.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/CHANGELOG.md
    DESTINATION ${CMAKE_INSTALL_DOCDIR})

file(GLOB manual_pages CONFIGURE_DEPENDS
    ${CMAKE_SOURCE_DIR}/docs/man/*.[1-8] ${CMAKE_SOURCE_DIR}/docs/man/*/*.[1-8])
foreach(page IN LISTS manual_pages)
  string(REGEX REPLACE ".*\\." "" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
# Pages that describe two functions are found by the second one, too.
install(FILES ${CMAKE_SOURCE_DIR}/docs/man/show_alloc_mem_ex.3
        DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 RENAME ft_malloc_show_ex.3)
install(FILES ${CMAKE_SOURCE_DIR}/docs/man/ft_malloc_set.3
        DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 RENAME ft_malloc_get.3)

# find_package(): for the installed tree, and with ft_malloc_DIR for the build directory.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/ft_malloc)
configure_file(${CMAKE_SOURCE_DIR}/cmake/package/ft_malloc-config.cmake ${CMAKE_BINARY_DIR}
    COPYONLY)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/ft_malloc-config-version.cmake
    COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_BINARY_DIR}/ft_malloc-config.cmake
    ${CMAKE_BINARY_DIR}/ft_malloc-config-version.cmake DESTINATION ${package_folder})
install(EXPORT ft_malloc-targets NAMESPACE ft_malloc:: DESTINATION ${package_folder})
export(EXPORT ft_malloc-targets NAMESPACE ft_malloc::)

# pkg-config: for the installed tree, and with PKG_CONFIG_PATH for the build directory.
# pc_path RESULT FOLDER: the folder below the prefix, or as it is if it is absolute.
function(pc_path result folder)
  if(NOT IS_ABSOLUTE "${folder}")
    set(folder "\${prefix}/${folder}")
  endif()
  set(${result} "${folder}" PARENT_SCOPE)
endfunction()

set(pc_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(pc_prefix ${CMAKE_INSTALL_PREFIX})
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  file(RELATIVE_PATH up /${pc_folder} /)
  string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${up}")
endif()
pc_path(pc_libdir "${CMAKE_INSTALL_LIBDIR}")
pc_path(pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
set(pc_template ${CMAKE_SOURCE_DIR}/cmake/package/ft_malloc.pc.in)
configure_file(${pc_template} ${CMAKE_BINARY_DIR}/ft_malloc.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/ft_malloc.pc DESTINATION ${pc_folder})

set(pc_prefix ${CMAKE_SOURCE_DIR})
set(pc_libdir ${CMAKE_BINARY_DIR})
set(pc_includedir "\${prefix}/include")
configure_file(${pc_template} ${CMAKE_BINARY_DIR}/ft_malloc-uninstalled.pc @ONLY)

# Installs the library under its traditional name, libft_malloc_$HOSTTYPE.so, with libft_malloc.so a link to
# it; then the archive, the header and the manual pages. In the build directory both names exist as well.

set(hosttype "$ENV{HOSTTYPE}")
if(NOT hosttype)
  set(hosttype "${CMAKE_HOST_SYSTEM_PROCESSOR}_${CMAKE_HOST_SYSTEM_NAME}")
endif()
set(FT_MALLOC_HOSTTYPE "${hosttype}" CACHE STRING "Part of the library's traditional name")
set(traditional_name libft_malloc_${FT_MALLOC_HOSTTYPE}.so)

add_custom_command(TARGET ft_malloc POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E create_symlink libft_malloc.so ${CMAKE_BINARY_DIR}/${traditional_name})

install(FILES $<TARGET_FILE:ft_malloc> DESTINATION ${CMAKE_INSTALL_LIBDIR} RENAME ${traditional_name}
    PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
install(CODE "
    set(libdir \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}\")
    file(CREATE_LINK ${traditional_name} \"\${libdir}/libft_malloc.so\" SYMBOLIC)
    message(STATUS \"Installing: \${libdir}/libft_malloc.so -> ${traditional_name}\")")
install(TARGETS ft_malloc_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${CMAKE_SOURCE_DIR}/include/ft_malloc.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

file(GLOB manual_pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.[1-8] ${CMAKE_SOURCE_DIR}/docs/man/*/*.[1-8])
foreach(page IN LISTS manual_pages)
  string(REGEX REPLACE ".*\\." "" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

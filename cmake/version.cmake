# The version, from include/ft_malloc.h, which is the one place where it is written down.
# Sets FT_MALLOC_VERSION to MAJOR.MINOR.PATCH.

set(version_header ${CMAKE_CURRENT_SOURCE_DIR}/include/ft_malloc.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${version_header})
foreach(part MAJOR MINOR PATCH)
  file(STRINGS ${version_header} line REGEX "^#define FT_MALLOC_VERSION_${part} [0-9]+$")
  if(NOT line MATCHES " ([0-9]+)$")
    message(FATAL_ERROR "${version_header} does not define FT_MALLOC_VERSION_${part} as a number")
  endif()
  set(version_${part} ${CMAKE_MATCH_1})
endforeach()
set(FT_MALLOC_VERSION ${version_MAJOR}.${version_MINOR}.${version_PATCH})

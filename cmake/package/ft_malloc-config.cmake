# find_package(ft_malloc) gives the imported targets ft_malloc::shared and ft_malloc::static.
# ft_malloc::ft_malloc is a second name of the shared library.

include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/ft_malloc-targets.cmake)
if(NOT TARGET ft_malloc::ft_malloc)
  add_library(ft_malloc::ft_malloc ALIAS ft_malloc::shared)
endif()

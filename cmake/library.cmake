# The library's three targets: ft_malloc (shared), ft_malloc_static, ft_malloc_prefixed.
# The first two are made of the same objects; the third is compiled again, with FT_MALLOC_PREFIXED.

add_subdirectory(src)
set_source_files_properties(${FT_MALLOC_SLOW_SOURCES} PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-Os>)
# Behind the -fno-plt of all: see there.
set_property(SOURCE ${CMAKE_SOURCE_DIR}/src/api/in_force.c APPEND PROPERTY COMPILE_OPTIONS -fplt)

set(FT_MALLOC_WARNINGS -Wall -Wextra -Werror -Wshadow -Wvla
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>)

# Builtins off, or the compiler turns calloc() into a call of itself, and a loop into one of strlen(). That, the
# stack protector and fortify would import functions which the library promises not to need. Exceptions, because
# operator new throws through C.
set(ft_malloc_options ${FT_MALLOC_WARNINGS}
    -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-semantic-interposition -fno-plt
    -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
    -fno-builtin-memalign -fno-builtin-aligned_alloc
    -fno-stack-protector -U_FORTIFY_SOURCE -fexceptions
    $<$<C_COMPILER_ID:GNU>:-fno-tree-loop-distribute-patterns>
    $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)

function(ft_malloc_compile target)
  target_compile_options(${target} PRIVATE ${ft_malloc_options})
  # For mallinfo2(), cpu_set_t and the like, whose declarations the C library hides otherwise.
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE=1)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
endfunction()

add_library(ft_malloc_objects OBJECT ${FT_MALLOC_SOURCES} ${FT_MALLOC_CXX_SOURCES})
ft_malloc_compile(ft_malloc_objects)

# Linked as C, so that a C program which is given the library loads no libstdc++.
set(CMAKE_CXX_IMPLICIT_LINK_LIBRARIES "")
add_library(ft_malloc SHARED $<TARGET_OBJECTS:ft_malloc_objects>)
set_target_properties(ft_malloc PROPERTIES LINKER_LANGUAGE C)
target_link_options(ft_malloc PRIVATE
    # First of all constructors: its fork handlers are then the first, too, and run before those that allocate.
    -Wl,-z,initfirst
    -Wl,-z,nodelete -Wl,-z,now -Wl,--no-undefined -Wl,--exclude-libs,ALL -Wl,--hash-style=gnu
    # Two segments instead of four: fewer mmaps and page faults at the start of each process.
    -Wl,-z,noseparate-code)

# One object in the archive: a program that refers to malloc() alone must get all of the family, or the C
# library's own realloc() would be handed our chunks; and the constructor.
set(ft_malloc_whole ${CMAKE_CURRENT_BINARY_DIR}/ft_malloc_whole.o)
add_custom_command(OUTPUT ${ft_malloc_whole}
    COMMAND ${CMAKE_LINKER} -r -o ${ft_malloc_whole} $<TARGET_OBJECTS:ft_malloc_objects>
    DEPENDS ft_malloc_objects $<TARGET_OBJECTS:ft_malloc_objects>
    COMMAND_EXPAND_LISTS VERBATIM)
set_source_files_properties(${ft_malloc_whole} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
add_library(ft_malloc_static STATIC ${ft_malloc_whole})
set_target_properties(ft_malloc_static PROPERTIES OUTPUT_NAME ft_malloc LINKER_LANGUAGE C)
target_link_libraries(ft_malloc_static INTERFACE Threads::Threads)

add_library(ft_malloc_prefixed STATIC ${FT_MALLOC_SOURCES} ${FT_MALLOC_PREFIXED_SOURCES})
ft_malloc_compile(ft_malloc_prefixed)
target_compile_definitions(ft_malloc_prefixed PUBLIC FT_MALLOC_PREFIXED)
target_link_libraries(ft_malloc_prefixed PUBLIC Threads::Threads)
if(FT_MALLOC_SANITIZE)
  # PUBLIC: whatever is linked with the prefixed library is instrumented too. The shared library never is:
  # a sanitizer's runtime defines malloc itself.
  target_compile_options(ft_malloc_prefixed PUBLIC
      -fsanitize=${FT_MALLOC_SANITIZE} -fno-sanitize-recover=all -g -fno-omit-frame-pointer)
  target_link_options(ft_malloc_prefixed PUBLIC -fsanitize=${FT_MALLOC_SANITIZE})
endif()

foreach(target ft_malloc ft_malloc_static)
  target_include_directories(${target} PUBLIC
      $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>)
endforeach()

# The library's three targets: ft_malloc (shared), ft_malloc_static, ft_malloc_prefixed.
# The first two are made of the same objects. The third is compiled again, with FT_MALLOC_PREFIXED.

add_subdirectory(src)
set_source_files_properties(${FT_MALLOC_SLOW_SOURCES}
    PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-Os>)
# This comes after the -fno-plt that all files get. The file says why it needs the opposite.
set_property(SOURCE ${CMAKE_SOURCE_DIR}/src/api/in_force.c APPEND PROPERTY COMPILE_OPTIONS -fplt)

set(FT_MALLOC_WARNINGS -Wall -Wextra -Werror -Wshadow -Wvla
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>)

# With builtins, the compiler would turn calloc() into a call of itself, and a loop into a call of
# strlen(). Such calls, the stack protector and fortify would import functions that the library
# promises not to need. Exceptions are on because those of operator new pass through C functions.
set(ft_malloc_options ${FT_MALLOC_WARNINGS}
    -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-semantic-interposition -fno-plt
    -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
    -fno-builtin-memalign -fno-builtin-aligned_alloc
    -fno-stack-protector -U_FORTIFY_SOURCE -fexceptions
    $<$<C_COMPILER_ID:GNU>:-fno-tree-loop-distribute-patterns>
    $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)

function(ft_malloc_compile target)
  target_compile_options(${target} PRIVATE ${ft_malloc_options})
  # Without it the C library hides the declarations of mallinfo2(), cpu_set_t and the like.
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE=1)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
endfunction()

add_library(ft_malloc_objects OBJECT ${FT_MALLOC_SOURCES} ${FT_MALLOC_CXX_SOURCES})
ft_malloc_compile(ft_malloc_objects)

# Linking as C keeps libstdc++ out of C programs that use the library.
set(CMAKE_CXX_IMPLICIT_LINK_LIBRARIES "")
add_library(ft_malloc SHARED $<TARGET_OBJECTS:ft_malloc_objects>)
set_target_properties(ft_malloc PROPERTIES LINKER_LANGUAGE C)
target_link_options(ft_malloc PRIVATE
    # The library's constructor runs before all others. So its fork handlers are registered first,
    # and a child runs them before other handlers, which may allocate.
    -Wl,-z,initfirst
    -Wl,-z,nodelete -Wl,-z,now -Wl,--no-undefined -Wl,--exclude-libs,ALL -Wl,--hash-style=gnu
    # Two segments instead of four save mmaps and page faults at the start of each process.
    -Wl,-z,noseparate-code)

# The archive has a single object, so that a program which refers to malloc() alone also gets the
# rest of the family and the constructor. Otherwise the C library's realloc() would get our chunks.
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
  # PUBLIC, because whatever links to the prefixed library must be instrumented, too. The shared
  # library never is, since the runtime of a sanitizer defines malloc itself.
  target_compile_options(ft_malloc_prefixed PUBLIC
      -fsanitize=${FT_MALLOC_SANITIZE} -fno-sanitize-recover=all -g -fno-omit-frame-pointer)
  target_link_options(ft_malloc_prefixed PUBLIC -fsanitize=${FT_MALLOC_SANITIZE})
endif()

foreach(target ft_malloc ft_malloc_static)
  target_include_directories(${target} PUBLIC
      $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>)
endforeach()

# What the test directories have in common: a program that sees test/support, registered with ctest
# or run by a test.
include_guard(GLOBAL)

set(FT_TEST_ROOT ${CMAKE_CURRENT_LIST_DIR}/..)

# ft_test_program(NAME SOURCE...): a program (or the helper of a test) linked to the support
# library.
function(ft_test_program name)
    add_executable(${name} ${ARGN})
    target_include_directories(${name} PRIVATE ${FT_TEST_ROOT})
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    target_link_libraries(${name} PRIVATE ft_test_support)
endfunction()

# ft_cmocka_test(NAME LABEL TIMEOUT SOURCE...): a cmocka program that ctest runs.
function(ft_cmocka_test name label timeout)
    ft_test_program(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE cmocka)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout})
endfunction()

# ft_test_on_larger_pages(NAME ENVIRONMENT COMMAND...): registers the command twice more, for the
# prefixed library on kernels with pages of 16 and 64 KiB, as src/os/larger_pages.c imitates them.
# Not under sanitizers, which would find nothing else there.
function(ft_test_on_larger_pages name environment)
    if(FT_MALLOC_SANITIZE)
        return()
    endif()
    foreach(kib 16 64)
        math(EXPR page "${kib} * 1024")
        add_test(NAME ${name}_page${kib}k COMMAND ${ARGN})
        set_tests_properties(${name}_page${kib}k PROPERTIES LABELS page${kib}k TIMEOUT 600
                             ENVIRONMENT "FT_TEST_PAGE=${page};${environment}")
    endforeach()
endfunction()

# ft_test_plugin(NAME SOURCE...): a shared object that a test program loads with dlopen.
function(ft_test_plugin name)
    add_library(${name} MODULE ${ARGN})
    set_target_properties(${name} PROPERTIES PREFIX "" C_VISIBILITY_PRESET default)
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
endfunction()

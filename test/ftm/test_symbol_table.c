/*
 * The sorted symbol table against libdwfl's own search, over all modules of this program: symbols
 * that are in others, aliases, labels, gaps, and addresses in no symbol.
 */
#include "symbols_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ADDRESSES = 3000 };

static unsigned named;

static void compare_at(Dwfl_Module *module, uint64_t pc)
{
    GElf_Off offset;
    GElf_Sym symbol;
    const char *expected = dwfl_module_addrinfo(module, pc, &offset, &symbol, NULL, NULL, NULL);
    const char *name = symbols_table_name(module, pc);

    if (expected == NULL) {
        assert_null(name);
        return;
    }
    assert_non_null(name);
    assert_string_equal(name, expected);
    named++;
}

static int compare_module(Dwfl_Module *module, void **kept, const char *name, Dwarf_Addr start,
                          void *context)
{
    Dwarf_Addr end = 0;
    uint64_t random = 1;

    (void)kept;
    (void)name;
    (void)context;
    (void)dwfl_module_info(module, NULL, NULL, &end, NULL, NULL, NULL, NULL);
    for (unsigned i = 0; i < ADDRESSES; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        compare_at(module, start + (random >> 20) % (end - start));
    }
    /* In order, as the symbols of a snapshot are looked up, and so that gaps are met twice. */
    for (uint64_t pc = start; pc < end && pc < start + (8 << 10); pc += 8)
        compare_at(module, pc);
    symbols_table_free(module);
    return DWARF_CB_OK;
}

static void the_names_are_those_of_libdwfl(void **state)
{
    static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf,
                                             .find_debuginfo = dwfl_standard_find_debuginfo};
    Dwfl *dwfl = dwfl_begin(&callbacks);

    (void)state;
    assert_non_null(dwfl);
    assert_int_equal(dwfl_linux_proc_report(dwfl, getpid()), 0);
    assert_int_equal(dwfl_report_end(dwfl, NULL, NULL), 0);
    assert_int_equal(dwfl_getmodules(dwfl, compare_module, NULL, 0), 0);
    assert_true(named > ADDRESSES);
    dwfl_end(dwfl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_names_are_those_of_libdwfl)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

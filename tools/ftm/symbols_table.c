/*
 * Which of the symbols around an address names it: libdwfl's rules for symbols that have a size. A
 * global one goes before a local one, then the one that begins last, then the shorter one. Where
 * there are only labels, libdwfl itself is asked, once between two symbols.
 */
#include "symbols_table.h"

#include "memory.h"
#include "search.h"

#include <stdlib.h>

struct symbol {
    uint64_t start, end; /* equal: a label */
    uint64_t reach;      /* the largest end of this one and all before it */
    const char *name;
    int number;
    unsigned char binding; /* 0 local, 1 weak, 2 global */
};

struct symbol_table {
    struct symbol *list;
    size_t count, room;
    /* What libdwfl said of an address that none covers, behind so many, in that section. */
    size_t asked;
    const Elf_Scn *section;
    const char *answer;
};

static bool can_name(const GElf_Sym *symbol, const char *name)
{
    int type = GELF_ST_TYPE(symbol->st_info);

    return name != NULL && *name != '\0' && symbol->st_shndx != SHN_UNDEF && type != STT_SECTION &&
           type != STT_FILE && type != STT_TLS;
}

static unsigned char binding_of(const GElf_Sym *symbol)
{
    int binding = GELF_ST_BIND(symbol->st_info);

    return binding == STB_LOCAL ? 0 : binding == STB_WEAK ? 1 : 2;
}

static int compare(const void *one, const void *other)
{
    const struct symbol *a = one, *b = other;

    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

static struct symbol_table *read_table(Dwfl_Module *module)
{
    struct symbol_table *table = memory_new(1, sizeof *table);
    int count = dwfl_module_getsymtab(module);
    uint64_t reach = 0;

    for (int i = 0; i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr start;
        const char *name = dwfl_module_getsym_info(module, i, &symbol, &start, NULL, NULL, NULL);

        if (!can_name(&symbol, name) || start + symbol.st_size < start)
            continue;
        table->list = memory_grow(table->list, &table->room, table->count, sizeof *table->list);
        table->list[table->count++] = (struct symbol){.start = start,
                                                      .end = start + symbol.st_size,
                                                      .name = name,
                                                      .number = i,
                                                      .binding = binding_of(&symbol)};
    }
    if (table->count > 0)
        qsort(table->list, table->count, sizeof *table->list, compare);
    for (size_t i = 0; i < table->count; i++) {
        reach = table->list[i].end > reach ? table->list[i].end : reach;
        table->list[i].reach = reach;
    }
    return table;
}

/* Whether it is better than another one that covers the address. */
static bool is_better(const struct symbol *symbol, const struct symbol *other)
{
    if (other == NULL || (symbol->binding > 0) != (other->binding > 0))
        return other == NULL || symbol->binding > 0;
    if (symbol->start != other->start)
        return symbol->start > other->start;
    if (symbol->end != other->end)
        return symbol->end < other->end;
    return symbol->binding > other->binding ||
           (symbol->binding == other->binding && symbol->number < other->number);
}

static const char *ask(Dwfl_Module *module, uint64_t pc)
{
    GElf_Off offset;
    GElf_Sym symbol;

    return dwfl_module_addrinfo(module, pc, &offset, &symbol, NULL, NULL, NULL);
}

/* Libdwfl's answer is the same up to the next symbol, or the end of the section. */
static const char *ask_once(struct symbol_table *table, Dwfl_Module *module, uint64_t pc,
                            size_t behind)
{
    Dwarf_Addr address = pc, bias;
    const Elf_Scn *section = dwfl_module_address_section(module, &address, &bias);

    if (table->asked != behind || table->section != section) {
        table->asked = behind;
        table->section = section;
        table->answer = ask(module, pc);
    }
    return table->answer;
}

const char *symbols_table_name(Dwfl_Module *module, uint64_t pc)
{
    const struct symbol *best = NULL;
    struct symbol_table *table;
    void **kept = NULL;
    size_t behind;

    (void)dwfl_module_info(module, &kept, NULL, NULL, NULL, NULL, NULL, NULL);
    if (kept == NULL)
        return ask(module, pc);
    if (*kept == NULL)
        *kept = read_table(module);
    table = *kept;
    behind = table->count == 0 ? 0 : SEARCH_ABOVE(table->list, table->count, start, pc);
    for (size_t i = behind; i > 0 && table->list[i - 1].reach > pc; i--)
        if (table->list[i - 1].end > pc && is_better(&table->list[i - 1], best))
            best = &table->list[i - 1];
    if (best != NULL)
        return best->name;
    /* A label names nothing if a symbol with a size, whether it covers it or not, ends later. */
    if (behind == 0 || table->list[behind - 1].start < table->list[behind - 1].reach)
        return NULL;
    return ask_once(table, module, pc, behind);
}

void symbols_table_free(Dwfl_Module *module)
{
    void **kept = NULL;
    struct symbol_table *table;

    if (module == NULL)
        return;
    (void)dwfl_module_info(module, &kept, NULL, NULL, NULL, NULL, NULL, NULL);
    table = kept == NULL ? NULL : *kept;
    if (table == NULL)
        return;
    free(table->list);
    free(table);
    *kept = NULL;
}

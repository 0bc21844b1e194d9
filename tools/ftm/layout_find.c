/*
 * The search. All that is read here may be anything, so every number is bounded before it is used.
 */
#include "layout_find.h"

#include "debug/layout.h"
#include "source.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

static const char symbol_name[] = "ft_malloc_layout";

/* What the dynamic section says of a module. All are addresses; 0 if it says nothing. */
struct dynamic {
    uint64_t symbols, strings, hash;
};

struct module {
    uint64_t base; /* what has to be added to the addresses in its file */
    uint64_t dynamic, dynamic_size;
};

static bool has_layout(struct source *source, uint64_t address)
{
    struct {
        char magic[LAYOUT_MAGIC_SIZE];
        uint64_t self;
    } head;

    return source_read(source, address, &head, sizeof head) &&
           memcmp(head.magic, LAYOUT_MAGIC, LAYOUT_MAGIC_SIZE) == 0 && head.self == address;
}

/* Reads the program headers of the module that is mapped at `start`. */
static bool read_module(struct source *source, uint64_t start, struct module *module)
{
    enum { HEADERS_MAX = 64 };
    Elf64_Ehdr file;
    Elf64_Phdr headers[HEADERS_MAX];
    bool has_base = false;

    if (!source_read(source, start, &file, sizeof file) ||
        memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 || file.e_ident[EI_CLASS] != ELFCLASS64 ||
        file.e_phentsize != sizeof headers[0] || file.e_phnum > HEADERS_MAX ||
        !source_read(source, start + file.e_phoff, headers, file.e_phnum * sizeof headers[0]))
        return false;
    *module = (struct module){.base = start};
    for (unsigned i = 0; i < file.e_phnum; i++) {
        if (headers[i].p_type == PT_LOAD && !has_base) {
            module->base = start - (headers[i].p_vaddr - headers[i].p_offset);
            has_base = true;
        } else if (headers[i].p_type == PT_DYNAMIC) {
            module->dynamic = headers[i].p_vaddr;
            module->dynamic_size = headers[i].p_memsz;
        }
    }
    module->dynamic += module->base;
    return module->dynamic_size > 0;
}

/* glibc has made these absolute; other loaders, and the kernel's own module, leave them. */
static uint64_t absolute(const struct module *module, uint64_t value)
{
    return value < module->base ? value + module->base : value;
}

static bool read_dynamic(struct source *source, const struct module *module,
                         struct dynamic *dynamic)
{
    enum { ENTRIES_MAX = 512 };
    Elf64_Dyn entries[ENTRIES_MAX];
    uint64_t most = module->dynamic_size < sizeof entries ? module->dynamic_size : sizeof entries;
    size_t count = source_read_some(source, module->dynamic, entries, most) / sizeof entries[0];

    *dynamic = (struct dynamic){.symbols = 0};
    for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
        uint64_t value = absolute(module, entries[i].d_un.d_ptr);

        if (entries[i].d_tag == DT_SYMTAB)
            dynamic->symbols = value;
        else if (entries[i].d_tag == DT_STRTAB)
            dynamic->strings = value;
        else if (entries[i].d_tag == DT_GNU_HASH)
            dynamic->hash = value;
    }
    return dynamic->symbols != 0 && dynamic->strings != 0 && dynamic->hash != 0;
}

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 5381;

    for (; *name != '\0'; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

/* Returns the address of the symbol with this number if it is the one, else 0. */
static uint64_t symbol_at(struct source *source, const struct module *module,
                          const struct dynamic *dynamic, uint32_t number)
{
    char name[sizeof symbol_name];
    Elf64_Sym symbol;

    if (!source_read(source, dynamic->symbols + (uint64_t)number * sizeof symbol, &symbol,
                     sizeof symbol) ||
        !source_read(source, dynamic->strings + symbol.st_name, name, sizeof name) ||
        memcmp(name, symbol_name, sizeof name) != 0 || symbol.st_shndx == SHN_UNDEF)
        return 0;
    return module->base + symbol.st_value;
}

/* Looks the name up as the dynamic linker does. */
static uint64_t look_up(struct source *source, const struct module *module,
                        const struct dynamic *dynamic)
{
    enum { CHAIN_MAX = 4096 };
    struct {
        uint32_t buckets, first, words, shift;
    } table;
    uint32_t hash = hash_of(symbol_name), number, seen;
    uint64_t buckets;

    if (!source_read(source, dynamic->hash, &table, sizeof table) || table.buckets == 0)
        return 0;
    buckets = dynamic->hash + sizeof table + (uint64_t)table.words * sizeof(uint64_t);
    if (!source_read(source, buckets + (uint64_t)(hash % table.buckets) * sizeof number, &number,
                     sizeof number) ||
        number < table.first)
        return 0;
    for (unsigned step = 0; step < CHAIN_MAX; step++, number++) {
        uint64_t entry = buckets + ((uint64_t)table.buckets + number - table.first) * sizeof seen;
        uint64_t found;

        if (!source_read(source, entry, &seen, sizeof seen))
            return 0;
        found = (seen | 1) == (hash | 1) ? symbol_at(source, module, dynamic, number) : 0;
        if (found != 0 || (seen & 1) != 0)
            return found;
    }
    return 0;
}

static uint64_t find_by_name(struct source *source, const struct source_map *map)
{
    struct module module;
    struct dynamic dynamic;
    uint64_t address;

    if (map->offset != 0 || map->path[0] != '/' || (map->flags & MAP_READ) == 0 ||
        !read_module(source, map->start, &module) || !read_dynamic(source, &module, &dynamic))
        return 0;
    address = look_up(source, &module, &dynamic);
    return address != 0 && has_layout(source, address) ? address : 0;
}

/* Modules that are named like the library come first, because there may be hundreds of others. */
static uint64_t find_in_modules(struct source *source, const struct source_map *maps, size_t count)
{
    uint64_t address = 0;

    for (unsigned others = 0; others < 2; others++)
        for (size_t i = 0; i < count && address == 0; i++)
            if ((strstr(maps[i].path, "ft_malloc") == NULL) == others)
                address = find_by_name(source, &maps[i]);
    return address;
}

/* Searches one mapping for the magic bytes, in pieces that overlap. */
static uint64_t find_magic(struct source *source, const struct source_map *map)
{
    enum { PIECE = 1 << 20, STEP = PIECE - LAYOUT_MAGIC_SIZE };
    char *piece = malloc(PIECE);
    uint64_t found = 0;

    for (uint64_t at = map->start; piece != NULL && at < map->end && found == 0; at += STEP) {
        size_t want = map->end - at < PIECE ? (size_t)(map->end - at) : PIECE;
        size_t got = source_read_some(source, at, piece, want);
        char *from = piece, *magic;

        while ((magic = memmem(from, (size_t)(piece + got - from), LAYOUT_MAGIC,
                               LAYOUT_MAGIC_SIZE)) != NULL &&
               found == 0) {
            if (has_layout(source, at + (uint64_t)(magic - piece)))
                found = at + (uint64_t)(magic - piece);
            from = magic + 1;
        }
    }
    free(piece);
    return found;
}

/* The constant is in data that the linker relocated, so in a private mapping that has no code. */
static bool may_have_magic(const struct source_map *map)
{
    enum { DATA_MAX = 64 << 20 };

    return map->path[0] == '/' && (map->flags & MAP_READ) != 0 &&
           (map->flags & (MAP_EXECUTE | MAP_SHARED_WITH_OTHERS)) == 0 &&
           map->end - map->start <= DATA_MAX;
}

static uint64_t find_by_magic(struct source *source, const struct source_map *maps, size_t count,
                              bool quick)
{
    uint64_t address = 0;

    for (size_t i = 0; i < count && address == 0; i++)
        if (may_have_magic(&maps[i]) && (!quick || strcmp(maps[i].path, maps[0].path) == 0))
            address = find_magic(source, &maps[i]);
    return address;
}

uint64_t layout_find(struct source *source, bool quick)
{
    size_t count;
    const struct source_map *maps = source_maps(source, &count);
    uint64_t address = source_layout(source);

    if (address == 0)
        address = find_in_modules(source, maps, count);
    return address != 0 ? address : find_by_magic(source, maps, count, quick);
}

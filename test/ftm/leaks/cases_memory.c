/*
 * Cases of kinds of memory: mappings of the program, loaded libraries, LARGE and aligned chunks.
 */
#include "leak_case.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *volatile global;
static void *volatile globals[16];

/* Stores an address only in a mapping that nothing else points to. */
static APART void store_in_mapping(int flags, size_t size)
{
    enum { MAPPED = 64 << 10 };
    void **mapped = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    if (mapped == MAP_FAILED)
        exit(3);
    mapped[1000] = make(size);
}

static void a_mapping_points_to_it(void)
{
    store_in_mapping(MAP_PRIVATE, 203);
    expect("reachable", 203, 1);
    checkpoint();
}

static void a_shared_mapping_points_to_it(void)
{
    store_in_mapping(MAP_SHARED, 203);
    expect("reachable", 203, 1);
    checkpoint();
}

static void memory_of_sbrk_points_to_it(void)
{
    void **memory = sbrk(4096);

    if (memory == (void *)-1)
        exit(3);
    memory[10] = make(203);
    expect("reachable", 203, 1);
    checkpoint();
}

static APART void *load(size_t size)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 40);
    void (*hold)(void *);
    void *library;

    if (length < 0)
        exit(3);
    path[length] = '\0';
    // NOLINTNEXTLINE: the path has room
    strcpy(strrchr(path, '/') + 1, "leak_plugin.so");
    library = dlopen(path, RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(3);
    }
    *(void **)&hold = dlsym(library, "plugin_hold");
    hold(make(size));
    return library;
}

static void a_loaded_library_points_to_it(void)
{
    global = load(203);
    expect("reachable", 203, 1);
    checkpoint();
}

static APART void load_and_close(void)
{
    dlclose(load(203));
}

static void the_library_was_unloaded(void)
{
    load_and_close();
    expect("definite", 203, 1);
    checkpoint();
}

static APART void *aligned(size_t alignment, size_t size)
{
    void *made;

    if (posix_memalign(&made, alignment, size) != 0)
        exit(3);
    return made;
}

static APART void drop_aligned(void)
{
    keep(aligned(256, 203));
    keep(aligned(4096, 12345));
}

static void aligned_chunks(void)
{
    drop_aligned();
    globals[0] = aligned(64, 307);
    globals[1] = (char *)aligned(65536, 20011) + 16;
    expect("definite", 203, 1);
    expect("definite", 12345, 1);
    expect("reachable", 307, 1);
    expect("possible", 20011, 1);
    checkpoint();
}

enum { BIG = 3000017, BIGGER = 5000011 };

static APART void drop_large(void)
{
    void **made = make(BIG);

    made[BIG / 8 - 1] = make(203);
}

static void a_large_chunk_is_lost(void)
{
    drop_large();
    expect("definite", BIG, 1);
    expect("indirect", 203, 1);
    checkpoint();
}

static APART void hold_large(void)
{
    void **made = make(BIG);

    made[BIG / 8 - 1] = make(203);
    globals[0] = made;
    globals[1] = (char *)make(BIGGER) + (4 << 20);
}

static void a_large_chunk_is_held(void)
{
    hold_large();
    expect("reachable", BIG, 1);
    expect("reachable", 203, 1);
    expect("possible", BIGGER, 1);
    checkpoint();
}

static APART void free_large(void)
{
    void **made = make(BIG);

    made[1000] = make(203);
    free(made);
}

/* The mapping stays for the next chunk of its size, with its contents. */
static void a_freed_large_chunk_points_to_it(void)
{
    free_large();
    expect("definite", 203, 1);
    checkpoint();
}

/* Larger than a piece that a reader reads at once. */
static void a_pointer_far_inside_a_large_chunk(void)
{
    enum { HUGE_ARRAY = 40000003 };
    void **made = make(HUGE_ARRAY);

    for (unsigned i = 0; i < 100; i++)
        made[i * 50000] = make(57);
    global = made;
    expect("reachable", HUGE_ARRAY, 1);
    expect("reachable", 57, 100);
    checkpoint();
}

/* Memory that the program made read-only after it had filled it. */
static void a_mapping_for_reading(void)
{
    enum { MAPPED = 64 << 10 };
    void **mapped = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (mapped == MAP_FAILED)
        exit(3);
    mapped[100] = make(203);
    if (mprotect(mapped, MAPPED, PROT_READ) != 0)
        exit(3);
    expect("reachable", 203, 1);
    checkpoint();
}

const struct leak_case leak_cases_memory[] = {
    {"a_mapping_points_to_it", a_mapping_points_to_it},
    {"a_shared_mapping_points_to_it", a_shared_mapping_points_to_it},
    {"memory_of_sbrk_points_to_it", memory_of_sbrk_points_to_it},
    {"a_loaded_library_points_to_it", a_loaded_library_points_to_it},
    {"the_library_was_unloaded", the_library_was_unloaded},
    {"aligned_chunks", aligned_chunks},
    {"a_large_chunk_is_lost", a_large_chunk_is_lost},
    {"a_large_chunk_is_held", a_large_chunk_is_held},
    {"a_freed_large_chunk_points_to_it", a_freed_large_chunk_points_to_it},
    {"a_pointer_far_inside_a_large_chunk", a_pointer_far_inside_a_large_chunk},
    {"a_mapping_for_reading", a_mapping_for_reading},
    {NULL, NULL},
};

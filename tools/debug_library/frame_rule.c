/*
 * Rules by return address. A slot is two words that are written without a lock: the second is mixed
 * into the first, so words of two writers do not belong together and count as an empty slot.
 *
 * A module that is unloaded may be replaced by another one at the same place. So a rule also keeps
 * what tells its module: where it is, its tables, and how often calls of dlclose() have begun and
 * ended.
 */
#include "frame_rule.h"
#include "module_unload.h"

#include "os/os.h"

#include <dlfcn.h>
#include <stdatomic.h>

enum { SLOT_BITS = 15 };

/* Relaxed: nothing else is read by way of them. The check tells whether they belong together. */
struct slot {
    _Atomic uint64_t check, data;
};

static struct slot slots[1 << SLOT_BITS];

static uint64_t mix(uint64_t value)
{
    value *= 0x9e3779b97f4a7c15U;
    return value ^ value >> 29;
}

static packed_rule pack(struct frame_rule rule)
{
    return rule.kind | (uint64_t)rule.by_pointer << 2 | (uint64_t)rule.saved << 3 |
           (uint64_t)rule.back << 11 | (uint64_t)rule.size << 19;
}

/* The high half of what is kept. */
uint64_t frame_module_find(uintptr_t pc, struct frame_modules *modules)
{
    struct dl_find_object object;
    unsigned place = modules->next++ % 2;
    uint64_t table = 0;

    if (_dl_find_object(pointer_to(pc - 1), &object) != 0)
        return 0;
    /* Its beginning tells where the frames are and how many. */
    __builtin_memcpy(&table, (const char *)object.dlfo_eh_frame + sizeof table / 2, sizeof table);
    table = mix(table + module_unloads());
    table = mix(table ^ (uintptr_t)object.dlfo_map_start);
    table = mix(table ^ (uintptr_t)object.dlfo_map_end);
    table = mix(table ^ (uintptr_t)object.dlfo_eh_frame);
    table = mix(table ^ (uintptr_t)object.dlfo_link_map) | (uint64_t)1 << 63;
    modules->of[place].start = (uintptr_t)object.dlfo_map_start;
    modules->of[place].end = (uintptr_t)object.dlfo_map_end;
    modules->of[place].mark = table >> 32 << 32;
    return modules->of[place].mark;
}

/* Rarely called. */
static __attribute__((noinline)) packed_rule decode(uintptr_t pc, uint64_t mark, struct slot *slot)
{
    packed_rule rule = pack(frame_rule_decode(pc));
    uint64_t data = mark | rule;

    if (mark == 0 || rule > UINT32_MAX)
        return rule;
    atomic_store_explicit(&slot->data, data, memory_order_relaxed);
    atomic_store_explicit(&slot->check, mix(data) ^ pc, memory_order_relaxed);
    return rule;
}

packed_rule frame_rule_of(uintptr_t pc, uint64_t module)
{
    uint64_t data;
    struct slot *slot = &slots[mix(pc) >> (64 - SLOT_BITS)];

    data = atomic_load_explicit(&slot->data, memory_order_relaxed);
    if (module != 0 && data >> 32 << 32 == module &&
        atomic_load_explicit(&slot->check, memory_order_relaxed) == (mix(data) ^ pc))
        return (uint32_t)data;
    return decode(pc, module, slot);
}

/*
 * Runs the instructions of a function's call frame information (DWARF 5, section 6.4.2, and the
 * .eh_frame format of the LSB) up to one address. What goes beyond a frame address at a constant
 * offset from a register, and registers saved at constant offsets from it, is left to libgcc.
 */
#include "frame_rule.h"

#include "os/os.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* libgcc exports both for the C library. */
struct dwarf_eh_bases {
    void *text, *data, *function;
};

const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases);

#if defined(__x86_64__)
enum { STACK_POINTER = 7, FRAME_POINTER = 6, RETURN_COLUMN = 16 };
#elif defined(__aarch64__)
enum { STACK_POINTER = 31, FRAME_POINTER = 29, RETURN_COLUMN = 30 };
#endif

enum { WORD = 8, REMEMBERED = 8, LOW = 0x3f };

enum how { UNCHANGED, UNDEFINED, SAVED, ELSEWHERE };

struct column {
    enum how how;
    int64_t offset;
};

struct row {
    uint64_t base;
    int64_t offset;
    struct column back, pointer;
};

struct program {
    const uint8_t *at, *end;
    uint64_t code_factor;
    int64_t data_factor;
    uint8_t encoding;
    bool augmented, hard;
    uintptr_t place, until;
    struct row row, initial, remembered[REMEMBERED];
    struct column other; /* a register that no walk needs */
    unsigned depth;
};

static uint64_t number(struct program *p)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = p->at < p->end ? *p->at++ : 0;
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return value;
}

static int64_t signed_number(struct program *p)
{
    const uint8_t *begin = p->at;
    uint64_t value = number(p);
    unsigned bits = 7 * (unsigned)(p->at - begin);

    if (bits > 0 && bits < 64 && p->at[-1] & 0x40)
        value |= ~(uint64_t)0 << bits;
    return (int64_t)value;
}

static uint64_t fixed(struct program *p, size_t size)
{
    uint64_t value = 0;

    if ((size_t)(p->end - p->at) >= size)
        memcpy(&value, p->at, size);
    p->at += size;
    return value;
}

static struct column *column_of(struct program *p, struct row *row, uint64_t number_of)
{
    if (number_of == RETURN_COLUMN)
        return &row->back;
    return number_of == FRAME_POINTER ? &row->pointer : &p->other;
}

static void save(struct program *p, uint64_t column, int64_t offset)
{
    *column_of(p, &p->row, column) = (struct column){SAVED, offset * p->data_factor};
}

static void restore(struct program *p, uint64_t column)
{
    *column_of(p, &p->row, column) = *column_of(p, &p->initial, column);
}

static void advance(struct program *p, uint64_t delta)
{
    p->place += delta * p->code_factor;
}

static void skip_expression(struct program *p)
{
    uint64_t length = number(p);

    p->at = length < (uint64_t)(p->end - p->at) ? p->at + length : p->end;
}

/* Instructions about the frame address. Returns whether it was one. */
static bool run_base(struct program *p, uint8_t code)
{
    switch (code) {
    case 0x0c: /* DW_CFA_def_cfa */
        p->row.base = number(p);
        p->row.offset = (int64_t)number(p);
        return true;
    case 0x0d: /* DW_CFA_def_cfa_register */
        p->row.base = number(p);
        return true;
    case 0x0e: /* DW_CFA_def_cfa_offset */
        p->row.offset = (int64_t)number(p);
        return true;
    case 0x0f: /* DW_CFA_def_cfa_expression */
        skip_expression(p);
        p->row.base = UINT64_MAX;
        return true;
    case 0x0a: /* DW_CFA_remember_state */
        if (p->depth < REMEMBERED)
            p->remembered[p->depth++] = p->row;
        else
            p->hard = true;
        return true;
    case 0x0b: /* DW_CFA_restore_state */
        if (p->depth > 0)
            p->row = p->remembered[--p->depth];
        else
            p->hard = true;
        return true;
    default:
        return false;
    }
}

static void run_column(struct program *p, uint8_t code)
{
    uint64_t column = number(p);

    switch (code) {
    case 0x05: /* DW_CFA_offset_extended */
        save(p, column, (int64_t)number(p));
        break;
    case 0x06: /* DW_CFA_restore_extended */
        restore(p, column);
        break;
    case 0x07: /* DW_CFA_undefined */
        column_of(p, &p->row, column)->how = UNDEFINED;
        break;
    case 0x08: /* DW_CFA_same_value */
        column_of(p, &p->row, column)->how = UNCHANGED;
        break;
    case 0x11: /* DW_CFA_offset_extended_sf */
        save(p, column, signed_number(p));
        break;
    case 0x09: /* DW_CFA_register */
        (void)number(p);
        column_of(p, &p->row, column)->how = ELSEWHERE;
        break;
    case 0x10: /* DW_CFA_expression */
    case 0x16: /* DW_CFA_val_expression */
        skip_expression(p);
        column_of(p, &p->row, column)->how = ELSEWHERE;
        break;
    default:
        p->hard = true;
    }
}

static void run_one(struct program *p)
{
    uint8_t code = *p->at++, low = code & LOW;

    if (code >> 6 == 1)
        advance(p, low);
    else if (code >> 6 == 2)
        save(p, low, (int64_t)number(p));
    else if (code >> 6 == 3)
        restore(p, low);
    else if (code >= 0x02 && code <= 0x04) /* DW_CFA_advance_loc1, 2, 4 */
        advance(p, fixed(p, (size_t)1 << (code - 2)));
    else if (code == 0x2e) /* DW_CFA_GNU_args_size */
        (void)number(p);
    else if (code != 0 && !run_base(p, code))
        run_column(p, code);
}

static void run(struct program *p, const uint8_t *begin, const uint8_t *end)
{
    p->at = begin;
    p->end = end;
    while (p->at < p->end && p->place <= p->until && !p->hard)
        run_one(p);
}

/* How long an address is in the table, 0 if that is not known here. */
static size_t address_size(uint8_t encoding)
{
    static const uint8_t sizes[16] = {
        [0] = 8, [2] = 2, [3] = 4, [4] = 8, [10] = 2, [11] = 4, [12] = 8};

    return sizes[encoding & 0x0f];
}

static uint32_t word_at(const uint8_t *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* The common part of several functions' information; its instructions begin where p->at is. */
static void read_common(struct program *p, const uint8_t *common)
{
    const char *augmentation = (const char *)common + 9;

    p->end = common + 4 + word_at(common);
    p->at = common + 9 + strlen(augmentation) + 1;
    p->code_factor = number(p);
    p->data_factor = signed_number(p);
    (void)(common[8] == 1 ? *p->at++ : number(p));
    p->augmented = augmentation[0] == 'z';
    p->hard = word_at(common) == UINT32_MAX || (augmentation[0] != '\0' && !p->augmented);
    if (!p->augmented)
        return;
    uint64_t length = number(p);
    const uint8_t *instructions = p->at + length;
    for (const char *letter = augmentation + 1; *letter != '\0'; letter++)
        if (*letter == 'R')
            p->encoding = *p->at++;
        else if (*letter == 'L')
            p->at++;
        else if (*letter == 'P') {
            uint8_t encoding = *p->at++;
            p->at += address_size(encoding);
            p->hard |= address_size(encoding) == 0 || encoding == 0x50;
        } else
            p->hard = true; /* a signal's frame, or a return address that is signed */
    p->at = instructions;
}

static struct frame_rule rule_of(const struct program *p)
{
    const struct row *row = &p->row;
    int64_t saved = row->pointer.how == SAVED ? -row->pointer.offset : 0;
    struct frame_rule rule = {.kind = FRAME_HARD};

    if (row->back.how == UNDEFINED)
        return (struct frame_rule){.kind = FRAME_LAST};
    if (p->hard || row->back.how != SAVED || row->pointer.how == ELSEWHERE ||
        (row->base != STACK_POINTER && row->base != FRAME_POINTER))
        return rule;
    if (row->offset <= 0 || row->offset % WORD != 0 || row->offset / WORD > UINT16_MAX ||
        -row->back.offset <= 0 || row->back.offset % WORD != 0 ||
        -row->back.offset / WORD > UINT8_MAX || saved < 0 || saved % WORD != 0 ||
        saved / WORD > UINT8_MAX)
        return rule;
    return (struct frame_rule){.kind = FRAME_PLAIN,
                               .by_pointer = row->base == FRAME_POINTER,
                               .size = (uint16_t)(row->offset / WORD),
                               .back = (uint8_t)(-row->back.offset / WORD),
                               .saved = (uint8_t)(saved / WORD)};
}

struct frame_rule frame_rule_decode(uintptr_t pc)
{
    struct dwarf_eh_bases bases;
    const uint8_t *entry = _Unwind_Find_FDE(pointer_to(pc - 1), &bases);
    struct program p = {.until = pc - 1};
    const uint8_t *begin, *end;

    if (entry == NULL || word_at(entry) == UINT32_MAX)
        return (struct frame_rule){.kind = FRAME_HARD};
    p.place = (uintptr_t)bases.function;
    read_common(&p, entry + 4 - (int32_t)word_at(entry + 4));
    if (p.hard || address_size(p.encoding) == 0)
        return (struct frame_rule){.kind = FRAME_HARD};
    end = entry + 4 + word_at(entry);
    run(&p, p.at, p.end);
    p.initial = p.row;
    p.at = entry + 8 + 2 * address_size(p.encoding);
    p.end = end;
    if (p.augmented) {
        uint64_t length = number(&p);
        p.at += length;
    }
    begin = p.at;
    run(&p, begin, end);
    return rule_of(&p);
}

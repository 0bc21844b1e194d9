/*
 * malloc_usable_size(). What it returns is the program's: it may write there. But the checks know
 * the bounds of what was requested. So the answer is what was requested, as in hardened mode, and
 * nobody uses more. A program that asks is told less than before, never more than there is.
 */
#include "checked.h"
#include "real.h"

CHECKED_API size_t checked_malloc_usable_size(void *) CHECKED_NAME(malloc_usable_size);

size_t checked_malloc_usable_size(void *pointer)
{
    struct ft_malloc_extent extent = bounds_tables.ask(pointer);

    if (pointer == NULL || extent.start != pointer)
        return real()->malloc_usable_size(pointer);
    if (extent.size == 0)
        (void)real()->malloc_usable_size(pointer); /* reports a freed one */
    return extent.size;
}

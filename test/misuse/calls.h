/*
 * The functions that a wrong pointer can be given to, by name, each with the name by which reports
 * call it.
 */
#ifndef FT_TEST_MISUSE_CALLS_H
#define FT_TEST_MISUSE_CALLS_H

struct call {
    const char *name;
    const char *shown;
    /* With a pointer that is wrong; checks what is returned, if it returns. */
    void (*with)(void *pointer);
};

/* NULL: there is none of that name. */
const struct call *call_named(const char *name);

#endif

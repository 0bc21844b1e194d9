/*
 * The functions that a wrong pointer can be passed to, by name, each with the name by which reports
 * call it.
 */
#ifndef FT_TEST_MISUSE_CALLS_H
#define FT_TEST_MISUSE_CALLS_H

struct call {
    const char *name;
    const char *shown;
    /* Calls the function with a wrong pointer. Checks the result, if it returns. */
    void (*with)(void *pointer);
};

/* Returns NULL if there is no function of that name. */
const struct call *call_named(const char *name);

#endif

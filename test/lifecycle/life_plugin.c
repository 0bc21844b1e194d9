/*
 * A library that allocates in its constructor and destructor, and exchanges chunks with the program
 * that loads it.
 */
#include <stdlib.h>
#include <string.h>

void *plugin_exchange(void *from_program);

static void *made_in_constructor;
static void *received;

__attribute__((constructor)) static void begin(void)
{
    made_in_constructor = malloc(777);
    if (made_in_constructor == NULL)
        abort();
    memset(made_in_constructor, 'c', 777);
}

__attribute__((destructor)) static void end(void)
{
    char *temporary = malloc(12345);
    if (temporary == NULL)
        abort();
    memset(temporary, 'd', 12345);
    free(temporary);
    free(received);
    free(made_in_constructor);
}

/*
 * Keeps a chunk of the program, which the destructor frees, and returns one that the program frees.
 */
void *plugin_exchange(void *from_program)
{
    free(received);
    received = from_program;
    void *given = made_in_constructor;
    made_in_constructor = NULL;
    return given;
}

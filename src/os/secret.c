/*
 * Where the secret comes from.
 */
#include "os/secret.h"

#include "os/os.h"

#include <elf.h>
#include <pthread.h>
#include <string.h>

uint64_t os_secret;
uint64_t os_canary_keys[2];

unsigned long os_auxiliary(char **environment, unsigned long type)
{
    const Elf64_auxv_t *entry;

    while (*environment != NULL)
        environment++;
    for (entry = (const Elf64_auxv_t *)(const void *)(environment + 1); entry->a_type != AT_NULL; entry++)
        if (entry->a_type == type)
            return entry->a_un.a_val;
    return 0;
}

void os_secret_init(char **environment)
{
    uintptr_t random = environment == NULL ? 0 : os_auxiliary(environment, AT_RANDOM);
    static uint64_t calls;
    /* Where the kernel put the thread, its stack and the library; and what differs from call to call. */
    uint64_t words[2] = {(uintptr_t)pthread_self() ^ ++calls << 56,
                         (uintptr_t)words ^ (uintptr_t)&os_secret << 16};

    if (os_secret != 0)
        return;
    /* The C library takes its stack guard from these 16 bytes: what we hold must not tell them. */
    if (random != 0)
        memcpy(words, (const void *)random, sizeof words); // NOLINT: an address becomes a pointer
    os_secret = os_scramble(words[0] ^ os_scramble(words[1] + 1)) | 1;
    os_canary_keys[0] = os_scramble(words[0] + 2);
    os_canary_keys[1] = os_scramble(words[1] + 3);
}

/*
 * How the secret is made.
 */
#include "base/secret.h"

#include "os/os.h"

#include <elf.h>
#include <pthread.h>
#include <string.h>

OS_TOUCHED uint64_t secret_word;
OS_TOUCHED uint64_t secret_canary_keys[2];

void secret_init(char **environment)
{
    uintptr_t random = environment == NULL ? 0 : os_auxiliary(environment, AT_RANDOM);
    OS_TOUCHED static uint64_t calls;
    /*
     * The places where the kernel put the thread, its stack and the library, and a counter that
     * differs from call to call.
     */
    uint64_t words[2] = {(uintptr_t)pthread_self() ^ ++calls << 56,
                         (uintptr_t)words ^ (uintptr_t)&secret_word << 16};

    if (secret_word != 0)
        return;
    /*
     * The C library takes its stack guard from these 16 bytes, so what we store must not reveal
     * them.
     */
    if (random != 0)
        memcpy(words, pointer_to(random), sizeof words);
    secret_word = secret_scramble(words[0] ^ secret_scramble(words[1] + 1)) | 1;
    secret_canary_keys[0] = secret_scramble(words[0] + 2);
    secret_canary_keys[1] = secret_scramble(words[1] + 3);
}

/*
 * Runs inputs without a fuzzer: the files that are named, or all files of a folder; then as many
 * random inputs as are asked for. `replay [-n COUNT] [-s SEED] FILE-OR-FOLDER...`. Prints the name
 * or the seed of an input before it runs, so that it stays in view if the input fails.
 */
#include "fuzz/fuzz.h"

#include "support/rng.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_MAX = 64 << 10, RANDOM_MAX = 600 };

static uint8_t input[INPUT_MAX];
static unsigned runs;

static void run_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    size_t size;

    REQUIRE(file != NULL, "cannot open %s", name);
    size = fread(input, 1, sizeof input, file);
    (void)fclose(file);
    printf("%s: %zu bytes\n", name, size);
    (void)fflush(stdout);
    LLVMFuzzerTestOneInput(input, size);
    runs++;
}

static int named(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void run_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, named, alphasort);

    REQUIRE(count >= 0, "cannot read %s", folder);
    for (int i = 0; i < count; i++) {
        char name[4096];

        (void)snprintf(name, sizeof name, "%s/%s", folder, entries[i]->d_name);
        run_file(name);
        free(entries[i]);
    }
    free((void *)entries);
}

static void run_named(const char *name)
{
    struct stat status;

    REQUIRE(stat(name, &status) == 0, "there is no %s", name);
    if (S_ISDIR(status.st_mode))
        run_folder(name);
    else
        run_file(name);
}

/* Input number n of a seed is the same whatever ran before it. */
static void run_random(uint64_t seed, uint64_t number)
{
    struct rng rng = rng_stream(seed, number + 1);
    size_t size = rng_between(&rng, 10, RANDOM_MAX);

    for (size_t i = 0; i < size; i++)
        input[i] = (uint8_t)(rng_next(&rng) >> 32);
    printf("random input %" PRIu64 " of seed %" PRIu64 "\n", number, seed);
    (void)fflush(stdout);
    LLVMFuzzerTestOneInput(input, size);
    runs++;
}

int main(int argc, char **argv)
{
    uint64_t count = 0, seed = 0;
    bool seeded = false;
    int option;

    while ((option = getopt(argc, argv, "n:s:")) != -1) {
        REQUIRE(option == 'n' || option == 's',
                "usage: replay [-n COUNT] [-s SEED] FILE-OR-FOLDER...");
        seeded = seeded || option == 's';
        *(option == 'n' ? &count : &seed) = strtoull(optarg, NULL, 0);
    }
    if (count > 0 && !seeded)
        seed = rng_seed_of_run(1, argv);
    LLVMFuzzerInitialize(&argc, &argv);
    for (; optind < argc; optind++)
        run_named(argv[optind]);
    for (uint64_t number = 0; number < count; number++)
        run_random(seed, number);
    printf("%u inputs, nothing wrong\n", runs);
    return 0;
}

/*
 * Prints what is known about addresses, as the lines of a SYMBOLS section; then the modules.
 * usage: symbols_case SOURCE ADDRESS...      a process, core file or snapshot
 *        symbols_case @FILE ADDRESS...       a file with such lines
 */
#include "source.h"
#include "symbols.h"

#include <stdio.h>
#include <stdlib.h>

static struct symbols *open_file(const char *path)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "r");
    size_t size;

    if (file == NULL)
        return NULL;
    size = fread(text, 1, sizeof(text), file);
    fclose(file);
    return symbols_of_text(text, size);
}

int main(int argc, char **argv)
{
    struct source *source = argc > 2 && argv[1][0] != '@' ? source_open(argv[1]) : NULL;
    struct symbols *symbols = NULL;
    const struct symbols_module *modules;
    size_t count;

    if (source != NULL)
        symbols = symbols_open(source);
    else if (argc > 2)
        symbols = open_file(argv[1] + 1);
    if (symbols == NULL)
        return 2;
    for (int i = 2; i < argc; i++) {
        uint64_t pc = strtoull(argv[i], NULL, 16);

        if (!symbols_write(symbols, &pc, 1, stdout))
            return 1;
    }
    modules = symbols_modules(symbols, &count);
    for (size_t i = 0; i < count; i++)
        printf("module %s %s\n", modules[i].build_id == NULL ? "-" : modules[i].build_id,
               modules[i].path);
    symbols_close(symbols);
    if (source != NULL)
        source_close(source);
    return 0;
}

/*
 * Looks up show_alloc_mem and reads what it lists. The same program runs with the library
 * preloaded, shared and static, so the symbol is looked up by name.
 */
#include "cxx/served.h"

extern "C" {
#include "support/capture.h"
#include "support/require.h"
#include "support/shown.h"
}

#include <cstring>
#include <dlfcn.h>
#include <unistd.h>

bool served_by_library(const void *block, std::size_t size)
{
    void *address = dlsym(RTLD_DEFAULT, "show_alloc_mem");
    void (*show)() = nullptr;
    if (address == nullptr)
        return false;
    std::memcpy(&show, &address, sizeof show);
    struct capture capture = {};
    struct shown shown = {};
    capture_open(&capture, STDOUT_FILENO);
    capture_call(&capture, show);
    REQUIRE(shown_parse(&shown, capture.text, capture.length), "%s", shown.error);
    const struct shown_chunk *chunk = shown_find(&shown, block);
    bool found = chunk != nullptr && chunk->size == size;
    shown_free(&shown);
    capture_close(&capture);
    return found;
}

/*
 * whose: prints the path of the object that serves malloc, free, calloc and realloc in this
 * process, one line each.
 *
 * This is no benchmark. The runner starts it once per allocator to check that the preload took
 * effect. It asks the dynamic linker for the owner of the address, because a library can be mapped
 * and still serve nothing.
 */
#include <dlfcn.h>
#include <stdio.h>

static int whose_print(const char *name)
{
    Dl_info owner;
    void *address = dlsym(RTLD_DEFAULT, name);
    if (!address || !dladdr(address, &owner)) {
        return 1;
    }
    printf("%s %s\n", name, owner.dli_fname);
    return 0;
}

int main(void)
{
    return whose_print("malloc") | whose_print("free") | whose_print("calloc") |
           whose_print("realloc");
}

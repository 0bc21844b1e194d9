#include "base/control.h"
#include "os/os.h"

OS_TOUCHED struct control control;
OS_TOUCHED void (*control_serve)(void);

uint32_t control_hash(const char *text)
{
    uint32_t hash = 2166136261U;

    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619U;
    return hash;
}

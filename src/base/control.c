#include "base/control.h"

struct control control;
void (*control_serve)(void);

uint32_t control_hash(const char *text)
{
    uint32_t hash = 2166136261U;

    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619U;
    return hash;
}

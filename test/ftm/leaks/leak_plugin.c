/*
 * A library that keeps one address in a global variable.
 */
static void *volatile held;

void plugin_hold(void *memory);

void plugin_hold(void *memory)
{
    held = memory;
}

void *plugin_held(void);

void *plugin_held(void)
{
    return held;
}

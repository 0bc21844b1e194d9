/*
 * What keys do, as in htop.
 */
#ifdef FTM_HAS_NCURSES
#include "top_screen.h"

#include <string.h>

/* Finds the next row with the text, from the selected one on. */
static void search_next(struct screen *screen, size_t from)
{
    size_t matching = screen_rows(screen);

    for (size_t i = 0; i < matching; i++) {
        size_t number = (from + i) % matching;

        if (panel_matches(screen_panel(screen), screen_row(screen, number), screen->search)) {
            screen->selected = number;
            return;
        }
    }
    screen->message = "No row has this text.";
}

static void type_key(struct screen *screen, int key)
{
    char *text = screen->prompt == PROMPT_SEARCH ? screen->search : screen->filter;
    size_t length = strlen(text);

    if (key == '\n' || key == KEY_ENTER || key == ESCAPE) {
        if (key == ESCAPE)
            text[0] = '\0';
        screen->prompt = PROMPT_NONE;
        return;
    }
    if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && length > 0)
        text[length - 1] = '\0';
    else if (key >= ' ' && key < 127 && length + 1 < SCREEN_TEXT) {
        text[length] = (char)key;
        text[length + 1] = '\0';
    }
    if (screen->prompt == PROMPT_SEARCH && screen->search[0] != '\0')
        search_next(screen, screen->selected);
}

static void sort_by(struct screen *screen, const char *key)
{
    struct panel *panel = screen_panel(screen);

    for (unsigned i = 0; i < panel->column_count; i++)
        if (strstr(panel->columns[i].key, key) != NULL) {
            panel->sort = i;
            panel->ascending = false;
            panel_sort(panel);
            return;
        }
}

static void sort_key(struct screen *screen, int key)
{
    struct panel *panel = screen_panel(screen);
    unsigned count = panel->column_count;

    if (key == 'I')
        panel->ascending = !panel->ascending;
    else if (key == '<')
        panel->sort = (panel->sort + count - 1) % count;
    else
        panel->sort = (panel->sort + 1) % count;
    panel_sort(panel);
}

static void move_key(struct screen *screen, int key)
{
    size_t page = LINES > SCREEN_HEADER + 4 ? (size_t)LINES - SCREEN_HEADER - 4 : 1;
    size_t *selected = &screen->selected;

    if (key == KEY_UP)
        *selected -= *selected > 0;
    else if (key == KEY_DOWN)
        *selected += 1;
    else if (key == KEY_PPAGE)
        *selected = *selected > page ? *selected - page : 0;
    else if (key == KEY_NPAGE)
        *selected += page;
    else
        *selected = key == KEY_HOME ? 0 : screen_rows(screen);
}

static void leave_process(struct screen *screen, int key)
{
    (void)key;
    if (!screen->from_list || screen->listing)
        return;
    top_close(&screen->top);
    screen->listing = true;
    screen->paused = false;
    screen->selected = 0;
    screen_look(screen);
}

static void enter_process(struct screen *screen, int key)
{
    const struct row *row = screen->listing ? screen_row(screen, screen->selected) : NULL;

    (void)key;
    if (row == NULL)
        return;
    if (!top_open(&screen->top, (int)row->numbers[0])) {
        screen->message = "This process cannot be read; q quits and says why.";
        return;
    }
    screen->listing = false;
    screen->from_list = true;
    screen->selected = 0;
    screen->filter[0] = '\0';
    screen_look(screen);
}

static void change_panel(struct screen *screen, int key)
{
    int by = key == KEY_BTAB ? TOP_PANELS - 1 : 1;

    screen->which = (screen->which + by) % TOP_PANELS;
    screen->selected = screen->first = 0;
}

static void change_interval(struct screen *screen, int key)
{
    screen->seconds += key == '+' ? 0.5 : -0.5;
    if (screen->seconds < 0.5)
        screen->seconds = 0.5;
}

static void sort_well_known(struct screen *screen, int key)
{
    if (key == 'P')
        sort_by(screen, "cpu_percent");
    else if (key == 'M')
        sort_by(screen, "bytes");
    else
        sort_by(screen, screen->which == PANEL_SITES ? "allocations_per" : "cpu_ms");
}

static void quit(struct screen *screen, int key)
{
    (void)key;
    screen->done = true;
}

static void help(struct screen *screen, int key)
{
    (void)key;
    screen->helping = true;
}

static void ask(struct screen *screen, int key)
{
    bool search = key == KEY_F(3) || key == '/';

    screen->prompt = search ? PROMPT_SEARCH : PROMPT_FILTER;
    if (search)
        screen->search[0] = '\0';
}

static void search_again(struct screen *screen, int key)
{
    (void)key;
    search_next(screen, screen->selected + 1);
}

static void pause_or_go_on(struct screen *screen, int key)
{
    (void)key;
    screen->paused = !screen->paused;
}

static const struct {
    int key;
    void (*action)(struct screen *screen, int key);
} keys[] = {
    {'q', quit},
    {KEY_F(10), quit},
    {'h', help},
    {'?', help},
    {KEY_F(1), help},
    {'/', ask},
    {KEY_F(3), ask},
    {'\\', ask},
    {KEY_F(4), ask},
    {'n', search_again},
    {'>', sort_key},
    {KEY_F(6), sort_key},
    {'<', sort_key},
    {'I', sort_key},
    {'P', sort_well_known},
    {'M', sort_well_known},
    {'T', sort_well_known},
    {'\t', change_panel},
    {KEY_BTAB, change_panel},
    {' ', pause_or_go_on},
    {'Z', pause_or_go_on},
    {'+', change_interval},
    {'-', change_interval},
    {KEY_UP, move_key},
    {KEY_DOWN, move_key},
    {KEY_PPAGE, move_key},
    {KEY_NPAGE, move_key},
    {KEY_HOME, move_key},
    {KEY_END, move_key},
    {'\n', enter_process},
    {KEY_ENTER, enter_process},
    {ESCAPE, leave_process},
};

void screen_press(struct screen *screen, int key)
{
    screen->message = NULL;
    if (screen->helping) {
        screen->helping = false;
        return;
    }
    if (screen->prompt != PROMPT_NONE) {
        type_key(screen, key);
        return;
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        if (keys[i].key == key) {
            keys[i].action(screen, key);
            return;
        }
}
#endif

/*
 * Draws the screen of `ftm top`, all of it each time; ncurses sends only what has changed.
 */
#ifdef FTM_HAS_NCURSES
#include "table.h"
#include "top_screen.h"

#include <stdio.h>
#include <string.h>

static const char *const help_lines[] = {
    "Tab, Shift-Tab      the next or previous table: call sites, classes, arenas, threads",
    "Up Down PgUp PgDn   move; Home and End go to the first and the last row",
    "F3 /                search for text, n for the next row that has it",
    "F4 \\                show only rows that have some text",
    "F6 > <              sort by the next or the previous column; I turns the order round",
    "P M T               sort by CPU, by live memory, by time or calls",
    "Enter               in the list of processes: watch the selected one; Esc returns",
    "Space Z             pause, and go on",
    "+ -                 look less often, more often",
    "F1 h ?              this help",
    "F10 q               quit",
};

/* Prints the text from the column on, cut off at the edge. Returns the column behind it. */
static int put(int line, int column, const char *text)
{
    int left = COLS - column;

    if (line < LINES && left > 0)
        mvaddnstr(line, column, text, left);
    return column + (int)strlen(text);
}

static void draw_tabs(struct screen *screen, int line)
{
    int column = 0;

    if (screen->listing) {
        attron(A_BOLD);
        put(line, 0, screen->list.panel.title);
        attroff(A_BOLD);
        return;
    }
    for (int i = 0; i < TOP_PANELS; i++) {
        if (i == screen->which)
            attron(A_REVERSE);
        column = put(line, column, screen->top.panels[i].title) + 2;
        attroff(A_REVERSE);
    }
}

static void draw_columns(struct screen *screen, int line)
{
    const struct panel *panel = screen_panel(screen);
    int column = 0;

    attron(COLOR_PAIR(PAIR_HEADER));
    mvhline(line, 0, ' ', COLS);
    for (unsigned i = 0; i < panel->column_count; i++) {
        char text[PANEL_TEXT];
        bool sorted = i == panel->sort;

        snprintf(text, sizeof(text), "%s%s", panel->columns[i].title,
                 !sorted            ? ""
                 : panel->ascending ? "^"
                                    : "v");
        if (sorted)
            attron(A_BOLD);
        if (i + 1 < panel->column_count)
            put(line, column + panel->columns[i].width - (int)strlen(text), text);
        else
            put(line, column + 2, text);
        attroff(A_BOLD);
        column += panel->columns[i].width;
    }
    attroff(COLOR_PAIR(PAIR_HEADER));
}

static void draw_row(struct screen *screen, int line, const struct row *row, bool selected)
{
    const struct panel *panel = screen_panel(screen);
    int column = 0;

    if (selected) {
        attron(COLOR_PAIR(PAIR_SELECTED));
        mvhline(line, 0, ' ', COLS);
    }
    for (unsigned i = 0; i < panel->column_count; i++) {
        char buffer[PANEL_TEXT], name[SCREEN_NAME];
        const char *text = panel_text(panel, row, i, buffer);

        if (i + 1 < panel->column_count)
            put(line, column + panel->columns[i].width - (int)strlen(text), text);
        else
            put(line, column + 2, short_name(text, strlen(text), name, sizeof(name)));
        column += panel->columns[i].width;
    }
    attroff(COLOR_PAIR(PAIR_SELECTED));
}

static void draw_bar(struct screen *screen)
{
    char text[2 * SCREEN_TEXT];

    attron(COLOR_PAIR(PAIR_BAR));
    mvhline(LINES - 1, 0, ' ', COLS);
    if (screen->prompt != PROMPT_NONE)
        snprintf(text, sizeof(text), "%s: %s",
                 screen->prompt == PROMPT_SEARCH ? "Search" : "Filter",
                 screen->prompt == PROMPT_SEARCH ? screen->search : screen->filter);
    else if (screen->message != NULL)
        snprintf(text, sizeof(text), "%s", screen->message);
    else
        snprintf(
            text, sizeof(text),
            "F1 Help  F3 Search  F4 Filter%s%s  F6 Sort  Tab Next  Space %s  F10 Quit   %.1f s",
            screen->filter[0] != '\0' ? "=" : "", screen->filter,
            screen->paused ? "Go on" : "Pause", screen->seconds);
    put(LINES - 1, 0, text);
    attroff(COLOR_PAIR(PAIR_BAR));
}

static int draw_header(struct screen *screen)
{
    char line[TOP_LINE];
    int row = 0;

    if (screen->listing) {
        put(row++, 0, "processes on libft_malloc; Enter watches one");
        return row + 1;
    }
    for (unsigned i = 0; top_line(&screen->top, i, line); i++, row++) {
        if (i == 1)
            attron(A_BOLD);
        put(row, 0, line);
        attroff(A_BOLD);
    }
    return row + 1;
}

static void draw_help(void)
{
    put(0, 0, "ftm top: keys");
    for (unsigned i = 0; i < sizeof(help_lines) / sizeof(*help_lines); i++)
        put(2 + (int)i, 2, help_lines[i]);
    put(4 + (int)(sizeof(help_lines) / sizeof(*help_lines)), 0, "Press any key.");
}

static void draw_rows(struct screen *screen, int line)
{
    size_t matching = screen_rows(screen);
    size_t shown = LINES - 1 > line ? (size_t)(LINES - 1 - line) : 1;

    if (screen->selected >= matching)
        screen->selected = matching > 0 ? matching - 1 : 0;
    if (screen->selected < screen->first)
        screen->first = screen->selected;
    if (screen->selected >= screen->first + shown)
        screen->first = screen->selected - shown + 1;
    if (screen_panel(screen)->count == 0)
        put(line, 2, screen_panel(screen)->empty);
    for (size_t i = 0; i < shown && screen->first + i < matching; i++)
        draw_row(screen, line + (int)i, screen_row(screen, screen->first + i),
                 screen->first + i == screen->selected);
}

void screen_draw(struct screen *screen)
{
    int line;

    erase();
    if (screen->helping) {
        draw_help();
    } else {
        line = draw_header(screen);
        draw_tabs(screen, line);
        draw_columns(screen, line + 1);
        draw_rows(screen, line + 2);
        draw_bar(screen);
    }
    refresh();
}

#endif

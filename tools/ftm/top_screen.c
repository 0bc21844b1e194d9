/*
 * The full screen of `ftm top`. What the readers say on stderr would spoil the screen, so it is
 * kept, and shown when the screen is gone.
 */
#include "command.h"
#include "top.h"

#ifdef FTM_HAS_NCURSES
#include "top_screen.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct panel *screen_panel(struct screen *screen)
{
    return screen->listing ? &screen->list.panel : &screen->top.panels[screen->which];
}

const struct row *screen_row(struct screen *screen, size_t number)
{
    const struct panel *panel = screen_panel(screen);

    for (size_t i = 0; i < panel->count; i++)
        if (panel_matches(panel, &panel->rows[i], screen->filter) && number-- == 0)
            return &panel->rows[i];
    return NULL;
}

size_t screen_rows(struct screen *screen)
{
    const struct panel *panel = screen_panel(screen);
    size_t count = 0;

    for (size_t i = 0; i < panel->count; i++)
        count += panel_matches(panel, &panel->rows[i], screen->filter);
    return count;
}

void screen_look(struct screen *screen)
{
    screen->next_look = top_clock() + (uint64_t)(screen->seconds * 1e9);
    if (screen->listing) {
        top_list_look(&screen->list);
        return;
    }
    if (!top_look(&screen->top)) {
        screen->message = "The process has ended; Esc returns, q quits.";
        screen->paused = true;
    }
}

/* Sends stderr to a file without a name. Returns the descriptor of the real one. */
static int keep_messages(void)
{
    int real = dup(STDERR_FILENO), file = memfd_create("messages", MFD_CLOEXEC);

    if (file >= 0) {
        dup2(file, STDERR_FILENO);
        close(file);
    }
    return real;
}

/* Puts stderr back, and prints the last line that was kept. */
static void show_messages(int real)
{
    static char text[4096];
    off_t size = lseek(STDERR_FILENO, 0, SEEK_CUR);
    off_t from = size > (off_t)sizeof(text) ? size - (off_t)sizeof(text) : 0;
    ssize_t length = pread(STDERR_FILENO, text, sizeof(text), from);
    ssize_t start = length - 1;

    dup2(real, STDERR_FILENO);
    close(real);
    while (start > 0 && text[start - 1] != '\n')
        start--;
    if (length > 0 && start >= 0)
        fwrite(text + start, 1, (size_t)(length - start), stderr);
}

static void begin_ncurses(void)
{
    setlocale(LC_ALL, "");
    initscr();
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    set_escdelay(50);
    if (has_colors()) {
        start_color();
        init_pair(PAIR_HEADER, COLOR_BLACK, COLOR_GREEN);
        init_pair(PAIR_SELECTED, COLOR_BLACK, COLOR_CYAN);
        init_pair(PAIR_BAR, COLOR_BLACK, COLOR_CYAN);
    }
}

/* Waits for a key until the next look is due. Returns ERR if none came. */
static int next_key(const struct screen *screen)
{
    uint64_t now = top_clock();
    int wait = screen->paused ? -1 : 0;

    if (!screen->paused && screen->next_look > now)
        wait = (int)((screen->next_look - now) / 1000000U) + 1;
    timeout(wait);
    return getch();
}

static void run(struct screen *screen)
{
    while (!screen->done) {
        int key;

        screen_draw(screen);
        key = next_key(screen);
        if (key == ERR && !screen->paused)
            screen_look(screen);
        else if (key != ERR)
            screen_press(screen, key);
    }
}

int top_screen(int pid, double seconds)
{
    static struct screen screen;
    int real;

    screen.seconds = seconds;
    screen.listing = pid == 0;
    if (pid != 0 && !top_open(&screen.top, pid))
        return EXIT_TROUBLE;
    real = keep_messages();
    top_list_begin(&screen.list);
    screen_look(&screen);
    begin_ncurses();
    run(&screen);
    endwin();
    show_messages(real);
    top_close(&screen.top);
    top_list_end(&screen.list);
    return EXIT_FINE;
}
#else
int top_screen(int pid, double seconds)
{
    (void)pid;
    (void)seconds;
    say("this ftm is built without ncurses, so it has no full screen; use --batch");
    return EXIT_TROUBLE;
}
#endif

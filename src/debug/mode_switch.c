/*
 * Everything here is done with the modes' lock. It is the first of all locks, so a mode may take
 * any other while it begins; and whoever comes back here meanwhile, by answering a request in a
 * slow call, only tries the lock.
 */
#include "debug/mode_switch.h"

#include "arena/pool.h"
#include "base/control.h"
#include "base/options.h"
#include "debug/check.h"
#include "debug/guard.h"
#include "debug/history.h"
#include "debug/limit.h"
#include "debug/profile.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

/* The reason of the last refusal. Guarded by the modes' lock. */
static char last_error[CONTROL_ANSWER];

/* Returns false if there is no memory. */
static bool begin(enum mode mode)
{
    uint64_t first = mode_number(mode, 0), second = mode_number(mode, 1);

    switch (mode) {
    case MODE_HISTORY:
        return history_begin(first, second != 0 ? second : HISTORY_DEPTH);
    case MODE_PROFILE:
        return profile_begin(first, second);
    case MODE_RECORD:
        return profile_record_begin();
    case MODE_GUARD:
        return guard_begin((unsigned)first, second);
    case MODE_LIMIT:
        limit_begin();
        return true;
    case MODE_FAIL:
        fail_begin();
        return true;
    case MODE_CHECK:
        check_begin();
        return true;
    default:
        return true;
    }
}

static void stop(enum mode mode)
{
    /* Sequentially consistent: see thread_count(). Calls in progress go on as before. */
    unsigned on = atomic_fetch_and_explicit(&modes_on, ~(unsigned)mode, memory_order_seq_cst);

    if ((on & mode) != 0)
        pool_obey();
}

static bool start(enum mode mode)
{
    if (!begin(mode))
        return false;
    /* Sequentially consistent: see thread_open(). It includes the release of modes_on. */
    atomic_fetch_or_explicit(&modes_on, mode, memory_order_seq_cst);
    pool_obey();
    return true;
}

static void put_error(struct text *why, const char *name, const char *says, const char *what)
{
    text_string(why, "option ");
    text_string(why, name);
    text_string(why, says);
    text_string(why, what);
}

static int refuse_name(const char *name, size_t length, struct text *why)
{
    enum option nearest = option_nearest(name, length);

    put_error(why, name, " is not known", "");
    if (nearest < OPTIONS) {
        text_string(why, ", did you mean ");
        text_string(why, option_name(nearest));
        text_string(why, "?");
    }
    return EINVAL;
}

/* Returns 0 if the option can be changed while the process runs. */
static int refuse_fixed(enum option option, struct text *why)
{
    switch (option) {
    case OPTION_HARDEN:
        put_error(why, option_name(option),
                  " cannot be changed: ", "the chunks that exist have canaries, or have none");
        return EPERM;
    case OPTION_ARENA_MAX:
        put_error(why, option_name(option), " cannot be changed: ", "arenas exist");
        return EPERM;
    case OPTION_BACKGROUND:
        put_error(why, option_name(option), " cannot be changed: ",
                  "the thread is started, or not, when the program begins to allocate");
        return EPERM;
    case OPTION_DUMP:
        put_error(why, option_name(option),
                  " cannot be changed: ", "who writes at exit and at a signal has read it");
        return EPERM;
    default:
        return 0;
    }
}

static int set_mode(enum option option, const char *text, const struct option_value *value,
                    struct text *why)
{
    static const struct option_value off;
    enum mode mode = (enum mode)option_mode(option);

    stop(mode);
    option_store(option, text, value);
    if (!value->on || start(mode))
        return 0;
    option_store(option, "0", &off);
    put_error(why, option_name(option), " is off: ", "there is no memory for it");
    return ENOMEM;
}

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0')
        length++;
    return length;
}

static void begin_waiting(void);

static int set(const char *name, const char *text, struct text *why)
{
    size_t length = length_of(name);
    enum option option = option_find(name, length);
    struct option_value value;
    int error;

    begin_waiting();
    if (option == OPTIONS)
        return refuse_name(name, length, why);
    error = refuse_fixed(option, why);
    if (error != 0)
        return error;
    if (!option_text_fits(text) || !option_parse(option, text, &value)) {
        put_error(why, option_name(option), " expects ", option_expected(option));
        return EINVAL;
    }
    if (option_mode(option) != NO_MODE)
        return set_mode(option, text, &value, why);
    option_store(option, text, &value);
    return 0;
}

/* Copies what fits, and a 0. */
static void copy_text(char *to, size_t size, const struct text *text)
{
    size_t length = text->length < size ? text->length : size - 1;

    for (size_t i = 0; i < length; i++)
        to[i] = text->buffer[i];
    to[length] = '\0';
}

static int set_and_note(const char *name, const char *value, struct text *why)
{
    int error = set(name, value, why);

    if (error != 0)
        copy_text(last_error, sizeof last_error, why);
    return error;
}

int mode_set(const char *name, const char *value, struct text *why)
{
    int error;

    modes_lock();
    error = set_and_note(name, value, why);
    modes_unlock();
    return error;
}

static int get(const char *name, struct text *value)
{
    enum option option = option_find(name, length_of(name));

    if (text_equal(name, "error"))
        text_string(value, last_error);
    else if (option < OPTIONS)
        text_string(value, option_text(option));
    else
        return refuse_name(name, length_of(name), value);
    return 0;
}

int mode_get(const char *name, struct text *value)
{
    int error;

    modes_lock();
    error = get(name, value);
    modes_unlock();
    return error;
}

static void begin_one(enum option option)
{
    static const struct option_value off;
    struct text text = {.fd = STDERR_FILENO};

    if ((options.modes & MODES_WITH_TABLES & option_mode(option)) == 0 ||
        start((enum mode)option_mode(option)))
        return;
    option_store(option, "0", &off);
    text_string(&text, "ft_malloc: ");
    put_error(&text, option_name(option), " ignored: ", "there is no memory for it\n");
    text_flush(&text);
}

static void begin_waiting(void)
{
    if (!mode_is_on(MODES_WAIT))
        return;
    for (unsigned option = 0; option < OPTIONS; option++)
        begin_one((enum option)option);
    /* Release: whoever no longer sees the bit finds the modes begun. */
    atomic_fetch_and_explicit(&modes_on, ~(unsigned)MODES_WAIT, memory_order_release);
}

void mode_begin_waiting(void)
{
    modes_lock();
    begin_waiting();
    modes_unlock();
}

/* Copies the text of the request. Returns false if it has not been written as a whole. */
static bool copy_request(uint64_t request, char *copy)
{
    const volatile char *text = control.text;

    for (unsigned i = 0; i < CONTROL_TEXT; i++)
        copy[i] = text[i];
    copy[CONTROL_TEXT - 1] = '\0';
    return control_hash(copy) == (uint32_t)request;
}

/* `request` is "NAME=VALUE", or "NAME" to ask for the value. */
static int answer(char *request, struct text *text)
{
    char *value = request;
    int error;

    while (*value != '=' && *value != '\0')
        value++;
    if (*value == '\0')
        return get(request, text);
    *value++ = '\0';
    error = set_and_note(request, value, text);
    return error != 0 ? error : get(request, text);
}

static void serve(void)
{
    /* Acquire: the text was written before. */
    uint64_t request = atomic_load_explicit(&control.request, memory_order_acquire);
    struct text text = {.fd = -1};
    char copy[CONTROL_TEXT];

    if (request == atomic_load_explicit(&control.answered, memory_order_relaxed) ||
        !copy_request(request, copy))
        return;
    control.error = answer(copy, &text);
    copy_text(control.answer, sizeof control.answer, &text);
    /* Release: whoever finds the number finds the answer. */
    atomic_store_explicit(&control.answered, request, memory_order_release);
}

void mode_serve(void)
{
    int saved_errno = errno;

    if (!modes_try_lock())
        return;
    serve();
    modes_unlock();
    errno = saved_errno;
}

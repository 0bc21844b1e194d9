/*
 * ftm set: options of a process that goes on, through the mailbox that base/control.h describes.
 * The process looks into it in its slow calls, and sets the option itself.
 */
#include "command.h"
#include "control_write.h"
#include "options.h"
#include "out.h"
#include "source.h"
#include "view.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char help_set[] =
    "usage: ftm set [OPTIONS] PID NAME[=VALUE]...\n"
    "\n"
    "Sets options of a process while it runs, such as profile=512K, history=100,8, guard=1000 or\n"
    "record=0; or prints the value of one that is given without a value. Names and values are\n"
    "those of ft_malloc(7), without FT_MALLOC_. The process sets the option itself, in one of its\n"
    "next calls, and refuses what is not safe while it runs.\n"
    "\n"
    "  --wait SECONDS   how long to wait for the answer (default: 10). A process that makes no\n"
    "                   calls of the allocator does not answer; what was asked for is done when\n"
    "                   it makes one\n"
    "  --json           as JSON\n"
    "\n"
    "Exit status: 0; 1 if the process refused; 2 after an error, or if it did not answer.\n";

struct set {
    uint64_t wait;
    bool json;
};

static void tell(const struct set *set, const char *option, const struct control_answer *answer)
{
    struct out *out = out_begin();
    size_t length = strcspn(option, "=");
    struct json json;
    char name[64];

    if (!set->json && answer->error != 0) {
        out_flush(out);
        say("refused: %s", answer->text);
        return;
    }
    if (!set->json) {
        out_format(out, "%.*s=", (int)length, option);
        out_name(out, answer->text);
        out_text(out, "\n");
        out_flush(out);
        return;
    }
    length = length < sizeof name - 1 ? length : sizeof name - 1;
    memcpy(name, option, length);
    name[length] = '\0';
    json_begin(&json, out);
    json_object(&json, NULL);
    json_string(&json, "name", name);
    json_string(&json, answer->error == 0 ? "value" : "refused", answer->text);
    json_close(&json);
    out_flush(out);
}

static int set_all(const struct set *set, struct view *view, char **options)
{
    int status = EXIT_FINE;
    struct control_answer answer;

    for (; *options != NULL; options++) {
        if (!control_write(view, *options, set->wait, &answer))
            return EXIT_TROUBLE;
        tell(set, *options, &answer);
        if (answer.error != 0)
            status = EXIT_FOUND_NOTHING;
    }
    return status;
}

int cmd_set(int argc, char **argv)
{
    enum { WAIT = 1, JSON };
    static const struct option options[] = {{"wait", required_argument, NULL, WAIT},
                                            {"json", no_argument, NULL, JSON},
                                            {NULL, 0, NULL, 0}};
    struct set set = {.wait = 10};
    struct target target;
    int option, status;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == JSON)
            set.json = true;
        else if (option != WAIT || !parse_number(optarg, &set.wait))
            return wrong_usage("set");
    }
    if (argc - optind < 2) {
        say("set needs a process and an option");
        return wrong_usage("set");
    }
    if (!target_open(argv[optind], &target))
        return EXIT_TROUBLE;
    status = set_all(&set, target.view, argv + optind + 1);
    target_close(&target);
    return status;
}

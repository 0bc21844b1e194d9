/*
 * ftm hex: bytes.
 */
#include "command.h"
#include "options.h"
#include "out.h"
#include "source.h"
#include "view.h"

#include <getopt.h>
#include <inttypes.h>
#include <string.h>

const char help_hex[] =
    "usage: ftm hex [OPTIONS] SOURCE ADDRESS\n"
    "\n"
    "Prints the bytes of the live chunk at or around the address, as it was requested; of a freed\n"
    "chunk, all that it has; of any other address, 256 bytes from there on. A snapshot has the\n"
    "bytes of chunks only if it was written with contents.\n"
    "\n"
    "  --size SIZE   so many bytes from the address on (4K, 2M), wherever that is\n"
    "  --all         the whole chunk, also if that is more than 4096 bytes\n"
    "  --usable      with the bytes of the chunk that nobody asked for\n"
    "  --raw         the bytes themselves\n"
    "  --json        as JSON: the bytes as a string of hexadecimal digits\n"
    "\n"
    "Exit status: 0, or 2 after an error, also if not all bytes are readable.\n";

enum { LINE = 16, OTHERWISE = 256, AT_ONCE = 4096 };

struct hex {
    uint64_t address, size; /* size 0: that of the chunk */
    bool all, usable, raw, json;
    uint64_t left_out; /* bytes of the chunk that are not shown without --all */
};

static void put_line(struct out *out, uint64_t address, const unsigned char *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    char line[4 * LINE + 8], *at = line;

    out_hex(out, address);
    out_bytes(out, "  ", 2);
    for (size_t i = 0; i < LINE; i++) {
        char high = digits[i < count ? bytes[i] >> 4 : 0];
        char low = digits[i < count ? bytes[i] & 15 : 0];

        *at++ = (char)(i < count ? high : ' ');
        *at++ = (char)(i < count ? low : ' ');
        *at++ = ' ';
        if (i == LINE / 2 - 1)
            *at++ = ' ';
    }
    *at++ = ' ';
    *at++ = '|';
    for (size_t i = 0; i < count; i++)
        *at++ = (char)(bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i] : '.');
    *at++ = '|';
    *at++ = '\n';
    out_bytes(out, line, (size_t)(at - line));
}

static void put_bytes(const struct hex *hex, struct out *out, uint64_t address,
                      const unsigned char *bytes, size_t count)
{
    if (hex->raw) {
        out_bytes(out, (const char *)bytes, count);
    } else if (hex->json) {
        for (size_t i = 0; i < count; i++)
            out_format(out, "%02x", bytes[i]);
    } else {
        for (size_t i = 0; i < count; i += LINE)
            put_line(out, address + i, bytes + i, count - i < LINE ? count - i : LINE);
    }
}

/* Decides which bytes are shown. */
static void choose(struct hex *hex, struct view *view)
{
    struct view_chunk chunk;
    enum view_verdict verdict = view_find(view, hex->address, &chunk);

    if (hex->size != 0)
        return;
    if (verdict < VIEW_LIVE) {
        hex->size = OTHERWISE;
        return;
    }
    hex->address = chunk.start;
    hex->size = hex->usable || verdict == VIEW_FREED ? chunk.usable : chunk.requested;
    if (!hex->all && hex->size > AT_ONCE) {
        hex->left_out = hex->size - AT_ONCE;
        hex->size = AT_ONCE;
    }
}

static int print(const struct hex *hex, struct source *source)
{
    static unsigned char piece[1 << 16];
    struct out *out = out_begin();
    uint64_t done = 0;
    size_t got = 1;

    if (hex->json)
        out_format(out, "{\"address\":\"0x%" PRIx64 "\",\n\"bytes\":\"", hex->address);
    while (done < hex->size && got > 0 && out->error == 0) {
        uint64_t left = hex->size - done;
        size_t want = left < sizeof piece ? (size_t)left : sizeof piece;

        got = source_read_some(source, hex->address + done, piece, want);
        put_bytes(hex, out, hex->address + done, piece, got);
        done += got;
    }
    if (hex->json)
        out_format(out, "\",\n\"left_out\":%" PRIu64 "}\n", hex->left_out);
    if (!out_end(out))
        return EXIT_TROUBLE;
    if (done < hex->size)
        say("%s: of %" PRIu64 " bytes at 0x%" PRIX64 ", %" PRIu64 " are readable",
            source_name(source), hex->size, hex->address, done);
    else if (hex->left_out > 0 && !hex->raw)
        say("%" PRIu64 " more bytes of the chunk follow; --all prints them", hex->left_out);
    return done < hex->size ? EXIT_TROUBLE : EXIT_FINE;
}

static bool take_option(struct hex *hex, int option)
{
    switch (option) {
    case 's':
        return parse_size(optarg, &hex->size) && hex->size > 0;
    case 'a':
        return hex->all = true;
    case 'u':
        return hex->usable = true;
    case 'r':
        return hex->raw = true;
    default:
        return hex->json = true;
    }
}

int cmd_hex(int argc, char **argv)
{
    static const struct option options[] = {
        {"size", required_argument, NULL, 's'}, {"all", no_argument, NULL, 'a'},
        {"usable", no_argument, NULL, 'u'},     {"raw", no_argument, NULL, 'r'},
        {"json", no_argument, NULL, 'j'},       {NULL, 0, NULL, 0}};
    struct hex hex = {.address = 0};
    struct target target;
    int option, status;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == '?')
            return wrong_usage("hex");
        if (!take_option(&hex, option)) {
            say("hex: --size cannot be %s", optarg);
            return wrong_usage("hex");
        }
    }
    if (optind + 2 != argc || !parse_address(argv[optind + 1], &hex.address)) {
        say(optind + 2 != argc ? "hex: which SOURCE, and which ADDRESS?"
                               : "hex: that is no address");
        return wrong_usage("hex");
    }
    if (!target_open(argv[optind], &target))
        return EXIT_TROUBLE;
    choose(&hex, target.view);
    status = print(&hex, target.source);
    target_close(&target);
    return status;
}

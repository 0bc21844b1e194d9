/*
 * malloc_info: well-formed XML, written to any kind of FILE, in order with what the caller writes
 * to it.
 */
#include "support/prefixed.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { MAXIMUM_DEPTH = 32, NAME_SIZE = 64 };

struct xml {
    const char *at;
    unsigned depth;
    unsigned elements;
    char open[MAXIMUM_DEPTH][NAME_SIZE];
};

static bool scan_name(struct xml *xml, char name[NAME_SIZE])
{
    size_t length = 0;
    while (isalnum((unsigned char)*xml->at) || *xml->at == '_' || *xml->at == '-') {
        if (length == NAME_SIZE - 1)
            return false;
        name[length++] = *xml->at++;
    }
    name[length] = '\0';
    return length > 0;
}

static bool scan_attributes(struct xml *xml)
{
    while (isspace((unsigned char)*xml->at)) {
        char name[NAME_SIZE];
        xml->at++;
        if (*xml->at == '/' || *xml->at == '>')
            return true;
        if (!scan_name(xml, name) || strncmp(xml->at, "=\"", 2) != 0)
            return false;
        xml->at += 2 + strcspn(xml->at + 2, "\"<&");
        if (*xml->at++ != '"')
            return false;
    }
    return true;
}

static bool scan_open_tag(struct xml *xml)
{
    if (xml->depth == MAXIMUM_DEPTH || !scan_name(xml, xml->open[xml->depth]) ||
        !scan_attributes(xml))
        return false;
    xml->elements++;
    if (strncmp(xml->at, "/>", 2) == 0) {
        xml->at += 2;
        return true;
    }
    xml->depth++;
    return *xml->at++ == '>';
}

static bool scan_close_tag(struct xml *xml)
{
    char name[NAME_SIZE];
    if (xml->depth == 0 || !scan_name(xml, name) || strcmp(name, xml->open[xml->depth - 1]) != 0)
        return false;
    xml->depth--;
    return *xml->at++ == '>';
}

/* One root element named malloc, tags nested and closed, attributes quoted. */
static bool is_well_formed(const char *text)
{
    struct xml xml = {.at = text};
    while (*xml.at != '\0') {
        if (*xml.at != '<') {
            if (xml.depth == 0 && !isspace((unsigned char)*xml.at))
                return false;
            xml.at++;
            continue;
        }
        xml.at++;
        if (xml.depth == 0 && xml.elements > 0)
            return false;
        bool closing = *xml.at == '/';
        xml.at += closing;
        if (!(closing ? scan_close_tag(&xml) : scan_open_tag(&xml)))
            return false;
    }
    return xml.depth == 0 && xml.elements > 0 && strcmp(xml.open[0], "malloc") == 0;
}

static void test_the_checker_itself(void **state)
{
    (void)state;
    assert_true(is_well_formed("<malloc version=\"1\">\n<heap nr=\"0\"/><a>1</a>\n</malloc>\n"));
    assert_false(is_well_formed(""));
    assert_false(is_well_formed("<malloc>"));
    assert_false(is_well_formed("<malloc><a></malloc></a>"));
    assert_false(is_well_formed("<malloc a=1></malloc>"));
    assert_false(is_well_formed("<malloc></malloc>text"));
    assert_false(is_well_formed("<malloc></malloc><malloc></malloc>"));
}

static void test_open_memstream(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    assert_int_equal(ft_malloc_info(0, stream), 0);
    assert_int_equal(fclose(stream), 0);
    assert_true(is_well_formed(text));
    free(text);
}

static void test_file_in_order_with_stdio(void **state)
{
    (void)state;
    FILE *stream = tmpfile();
    assert_non_null(stream);
    assert_true(fputs("before\n", stream) >= 0);
    assert_int_equal(ft_malloc_info(0, stream), 0);
    assert_true(fputs("after\n", stream) >= 0);
    assert_int_equal(fflush(stream), 0);
    rewind(stream);
    static char text[1U << 20];
    size_t length = fread(text, 1, sizeof text - 1, stream);
    text[length] = '\0';
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(strncmp(text, "before\n", 7), 0);
    assert_true(length > 13);
    assert_string_equal(text + length - 6, "after\n");
    text[length - 6] = '\0';
    assert_true(is_well_formed(text + 7));
}

static void test_unbuffered_file(void **state)
{
    (void)state;
    FILE *stream = tmpfile();
    assert_non_null(stream);
    assert_int_equal(setvbuf(stream, NULL, _IONBF, 0), 0);
    assert_int_equal(ft_malloc_info(0, stream), 0);
    rewind(stream);
    static char text[1U << 20];
    text[fread(text, 1, sizeof text - 1, stream)] = '\0';
    assert_int_equal(fclose(stream), 0);
    assert_true(is_well_formed(text));
}

/* The stream's buffer has no room: its contents stay, and nothing is written elsewhere. */
static void require_a_clean_error(FILE *stream)
{
    int ends[2] = {-1, -1}, saved = dup(STDIN_FILENO);
    char byte;

    /* A stream without a file claims to have descriptor 0. */
    assert_true(saved >= 0 && pipe(ends) == 0 && dup2(ends[1], STDIN_FILENO) == 0);
    errno = 0;
    assert_int_equal(ft_malloc_info(0, stream), -1);
    assert_int_equal(errno, ENOSPC);
    assert_true(dup2(saved, STDIN_FILENO) == 0 && close(saved) == 0 && close(ends[1]) == 0);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

static void test_a_memory_stream_without_room(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0, put = 0;
    FILE *stream = open_memstream(&text, &length);

    assert_non_null(stream);
    /* The stream's buffer grows when it is full; just before that there is hardly any room. */
    for (; put < 8100; put += 10)
        assert_true(fputs("0123456789", stream) >= 0);
    require_a_clean_error(stream);
    assert_true(fputs("TAIL", stream) >= 0);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(length, put + 4);
    assert_string_equal(text + put, "TAIL");
    free(text);
}

static ssize_t take_all(void *cookie, const char *text, size_t size)
{
    (void)cookie, (void)text;
    return (ssize_t)size;
}

static void test_a_stream_of_a_cookie(void **state)
{
    (void)state;
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = take_all});

    assert_non_null(stream);
    assert_int_equal(setvbuf(stream, NULL, _IONBF, 0), 0);
    require_a_clean_error(stream);
    assert_int_equal(fclose(stream), 0);
}

static void test_unknown_options_are_refused(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    assert_int_not_equal(ft_malloc_info(1, stream), 0);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(length, 0);
    free(text);
}

/* Returns the number behind `name` in what malloc_info() writes. */
static unsigned long figure(const char *name)
{
    char *text = NULL;
    size_t length = 0;
    unsigned long value;
    FILE *stream = open_memstream(&text, &length);

    assert_non_null(stream);
    assert_int_equal(ft_malloc_info(0, stream), 0);
    assert_int_equal(fclose(stream), 0);
    assert_non_null(strstr(text, name));
    value = strtoul(strstr(text, name) + strlen(name), NULL, 10);
    free(text);
    return value;
}

static void test_pages_given_back_between_chunks_are_told(void **state)
{
    (void)state;
    enum { CHUNKS = 2000, SIZE = 8000, KEEP_ONE_OF = 50 };
    static char *chunks[CHUNKS];
    unsigned long given = figure("<pages given=\""), calls = figure("\" calls=\"");
    unsigned long again = figure("\" again=\"");

    for (size_t n = 0; n < CHUNKS; n++) {
        chunks[n] = ft_malloc(SIZE);
        assert_non_null(chunks[n]);
        memset(chunks[n], 1, SIZE);
    }
    for (size_t n = 0; n < CHUNKS; n++)
        if (n % KEEP_ONE_OF != 0)
            ft_free(chunks[n]);
    assert_int_equal(ft_malloc_trim(0), 1);
    assert_true(figure("<pages given=\"") > given && figure("\" calls=\"") > calls);
    for (size_t n = 0; n < CHUNKS; n++)
        if (n % KEEP_ONE_OF != 0)
            chunks[n] = ft_malloc(SIZE);
    assert_true(figure("\" again=\"") > again);
    for (size_t n = 0; n < CHUNKS; n++)
        ft_free(chunks[n]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_checker_itself),
        cmocka_unit_test(test_open_memstream),
        cmocka_unit_test(test_file_in_order_with_stdio),
        cmocka_unit_test(test_unbuffered_file),
        cmocka_unit_test(test_unknown_options_are_refused),
        cmocka_unit_test(test_a_memory_stream_without_room),
        cmocka_unit_test(test_a_stream_of_a_cookie),
        cmocka_unit_test(test_pages_given_back_between_chunks_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

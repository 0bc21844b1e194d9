/*
 * Text without stdio: numbers, a buffer that fills up, and one that has no descriptor.
 */
#include "unit/unit.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *written(struct text *text)
{
    text->buffer[text->length] = '\0';
    text->length = 0;
    return text->buffer;
}

static void test_numbers(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0,
                                       1,
                                       9,
                                       10,
                                       11,
                                       99,
                                       100,
                                       4095,
                                       65536,
                                       4294967295,
                                       4294967296,
                                       UINT64_MAX / 10,
                                       UINT64_MAX - 1,
                                       UINT64_MAX};
    struct text text = {.fd = -1};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char expected[40];

        (void)snprintf(expected, sizeof expected, "%llu", (unsigned long long)numbers[i]);
        text_number(&text, numbers[i]);
        assert_string_equal(written(&text), expected);
        (void)snprintf(expected, sizeof expected, "0x%llx", (unsigned long long)numbers[i]);
        text_hex_lower(&text, numbers[i]);
        assert_string_equal(written(&text), expected);
        (void)snprintf(expected, sizeof expected, "0x%llX", (unsigned long long)numbers[i]);
        text_hex_upper(&text, numbers[i]);
        assert_string_equal(written(&text), expected);
    }
}

static void test_strings(void **state)
{
    (void)state;
    struct text text = {.fd = -1};

    text_string(&text, "");
    assert_int_equal(text.length, 0);
    text_string(&text, "one");
    text_string(&text, ", two");
    assert_string_equal(written(&text), "one, two");
}

static void test_without_a_descriptor_the_rest_is_dropped(void **state)
{
    (void)state;
    struct text text = {.fd = -1};

    for (size_t i = 0; i < sizeof text.buffer - 3; i++)
        text_string(&text, "a");
    text_string(&text, "bcdef");
    assert_int_equal(text.length, sizeof text.buffer);
    assert_memory_equal(text.buffer + sizeof text.buffer - 4, "abcd", 4);
    text_flush(&text);
    assert_int_equal(text.length, 0);
}

static void test_a_full_buffer_is_written_out(void **state)
{
    (void)state;
    int file = memfd_create("text", MFD_CLOEXEC);
    struct text text = {.fd = file};
    char *expected = malloc(200000), *found = malloc(200000);
    size_t length = 0;

    assert_true(file >= 0 && expected != NULL && found != NULL);
    for (unsigned n = 0; n < 10000; n++) {
        length += (size_t)snprintf(expected + length, 200000 - length, "%u ", n * 7919);
        text_number(&text, n * 7919);
        text_string(&text, " ");
    }
    assert_true(text.length <= sizeof text.buffer);
    text_flush(&text);
    text_flush(&text);
    assert_int_equal(pread(file, found, 200000, 0), length);
    assert_memory_equal(found, expected, length);
    free(expected);
    free(found);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_without_a_descriptor_the_rest_is_dropped),
        cmocka_unit_test(test_a_full_buffer_is_written_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

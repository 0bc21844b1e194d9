/*
 * REQUIRE(condition, format, ...): a check that may fail in any thread or child process, where
 * cmocka's asserts (a longjmp to the main thread's stack) cannot be used. It prints the place and
 * aborts.
 */
#ifndef FT_TEST_SUPPORT_REQUIRE_H
#define FT_TEST_SUPPORT_REQUIRE_H

#ifdef __cplusplus
extern "C" {
#endif

void require_failed(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((noreturn, format(printf, 4, 5)));

#ifdef __cplusplus
}
#endif

#define REQUIRE(condition, ...)                                                                    \
    ((condition) ? (void)0 : require_failed(__FILE__, __LINE__, #condition, __VA_ARGS__))

#endif

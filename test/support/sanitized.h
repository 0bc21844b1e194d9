/*
 * Whether this is a build with AddressSanitizer or ThreadSanitizer, whose own memory, mappings and
 * locks are then part of what a test measures.
 */
#ifndef FT_TEST_SUPPORT_SANITIZED_H
#define FT_TEST_SUPPORT_SANITIZED_H

#include <stdbool.h>

/* gcc says so by macros, clang by features. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif
#else
static const bool sanitized = false;
#endif

#endif

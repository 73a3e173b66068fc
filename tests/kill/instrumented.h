/* SPDX-License-Identifier: MIT */
/* INSTRUMENTED: built with a sanitizer that does not stand to be traced, or most of whose instructions would be its own. */
#ifndef GB_TESTS_KILL_INSTRUMENTED_H
#define GB_TESTS_KILL_INSTRUMENTED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INSTRUMENTED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define INSTRUMENTED 1
#endif
#endif
#ifndef INSTRUMENTED
#define INSTRUMENTED 0
#endif

#endif

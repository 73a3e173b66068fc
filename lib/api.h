/* SPDX-License-Identifier: MIT */
/* Included before everything in the library's own files, which are compiled with hidden visibility: what telemetry.h declares
 * is what the library exports. */
#ifndef GB_LIB_API_H
#define GB_LIB_API_H

#pragma GCC visibility push(default)
#include "gb/telemetry.h"
#pragma GCC visibility pop

#endif

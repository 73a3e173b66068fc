/* SPDX-License-Identifier: MIT */
/* See syscalls.h. */
#include "collector/syscalls.h"

#include <errno.h>

int syscalls_restrict(void)
{
    return -ENOTSUP;
}

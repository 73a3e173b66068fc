/* SPDX-License-Identifier: MIT */
/* See stack.h. No malloc, no stdio: may run in a signal handler. */
#include "lib/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct range {
    uintptr_t low, high;
};

/* Reads "low-high " at the start of each line of the maps until a range holds `here`. */
static bool find_mapping(int fd, uintptr_t here, struct range *ret_range)
{
    char buffer[1024];
    uintptr_t number[2] = {0, 0};
    int field = 0; /* 0: low, 1: high, 2: the rest of the line */
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            char c = buffer[i];
            if (c == '\n') {
                if (number[0] <= here && here < number[1]) {
                    *ret_range = (struct range){number[0], number[1]};
                    return true;
                }
                number[0] = number[1] = 0;
                field = 0;
            } else if (field < 2) {
                if (c == '-' || c == ' ')
                    field++;
                else
                    number[field] = number[field] * 16 + (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
            }
        }
    }
    return false;
}

bool stack_is_same(struct gb_thread *self, uintptr_t a, uintptr_t here)
{
    /* a stack that has grown since it was looked at may hold `a` as well */
    if (here < self->stack_low || here >= self->stack_high || a < self->stack_low || a >= self->stack_high) {
        struct range range;
        int saved = errno, fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        bool found = fd >= 0 && find_mapping(fd, here, &range);
        if (fd >= 0)
            close(fd);
        errno = saved;
        if (!found)
            return false;
        self->stack_low = range.low;
        self->stack_high = range.high;
    }
    return a >= self->stack_low && a < self->stack_high;
}

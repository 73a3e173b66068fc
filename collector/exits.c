/* SPDX-License-Identifier: MIT */
/* See exits.h. */
#include "collector/exits.h"

#include <string.h>

void exits_make(struct exits *ret_exits)
{
    memset(ret_exits, 0, sizeof(*ret_exits));
    pthread_mutex_init(&ret_exits->change, NULL);
}

void exits_note(struct exits *exits, pid_t pid, int signal)
{
    pthread_mutex_lock(&exits->change);
    unsigned at = exits->noted++ % EXITS_KEPT;
    exits->last[at].pid = pid;
    exits->last[at].signal = signal;
    pthread_mutex_unlock(&exits->change);
}

bool exits_find(struct exits *exits, pid_t pid, int *ret_signal)
{
    bool found = false;
    pthread_mutex_lock(&exits->change);
    for (unsigned back = 1; back <= EXITS_KEPT && back <= exits->noted && !found; back++) {
        unsigned at = (exits->noted - back) % EXITS_KEPT;
        found = pid > 0 && exits->last[at].pid == pid;
        if (found)
            *ret_signal = exits->last[at].signal;
    }
    pthread_mutex_unlock(&exits->change);
    return found;
}

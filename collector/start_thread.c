/* SPDX-License-Identifier: MIT */
/* See start_thread.h. */
#include "collector/start_thread.h"

#include <signal.h>
#include <stdio.h>

int start_thread(pthread_t *ret_thread, const char *name, void *(*run)(void *argument), void *argument)
{
    static const int own[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    char short_name[16];
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        sigdelset(&blocked, own[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int error = pthread_create(ret_thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return -error;
    snprintf(short_name, sizeof(short_name), "%s", name);
    pthread_setname_np(*ret_thread, short_name);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The command of `gb run`: see run_command.h.
 *
 * Signals: the command has what `gb` inherited. `gb` itself ignores SIGINT and SIGQUIT, which a terminal sends to both; it
 * takes SIGTERM and SIGHUP, which come to it alone, and hands them on. A stop from the keyboard stops both, and `fg`
 * continues both, since they are one process group: nothing is to be done.
 */
#include "collector/cli/run_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What execvp would say of one file. */
static int check_file(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return errno;
    if (S_ISDIR(status.st_mode))
        return EACCES;
    return access(path, X_OK) < 0 ? errno : 0;
}

int run_command_find(const char *word)
{
    const char *path = getenv("PATH");
    int found = ENOENT;
    if (*word == '\0')
        return ENOENT;
    if (strchr(word, '/') != NULL)
        return check_file(word);
    if (path == NULL)
        return 0; /* there is a default that execvp knows */
    while (found != 0) {
        size_t length = strcspn(path, ":");
        char *file;
        if (asprintf(&file, "%.*s%s%s", (int)length, path, length > 0 ? "/" : "./", word) < 0)
            return ENOMEM;
        int error = check_file(file);
        free(file);
        if (error == 0 || error == EACCES)
            found = error;
        if (path[length] == '\0')
            break;
        path += length + 1;
    }
    return found;
}

/* The child: waits for its word, then becomes the command. An end of the pipe instead of a word: it never runs. */
static void run_child(struct run_command *command, int go, int failed)
{
    char word;
    if (read(go, &word, 1) != 1)
        _exit(0);
    sigprocmask(SIG_SETMASK, &command->before, NULL);
    execvp(command->words[0], command->words);
    int error = errno;
    ssize_t written = write(failed, &error, sizeof(error));
    _exit(written == (ssize_t)sizeof(error) ? 127 : 126);
}

static int make_pipes(int go[2], int failed[2])
{
    if (pipe2(go, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(failed, O_CLOEXEC) < 0) {
        int error = -errno;
        close(go[0]);
        close(go[1]);
        return error;
    }
    return 0;
}

int run_command_prepare(struct run_command *command, char **words, const char *directory)
{
    int go[2], failed[2];
    *command = (struct run_command){.words = words, .pid = -1, .go = -1, .failed = -1};
    int error = make_pipes(go, failed);
    if (error < 0)
        return error;
    sigemptyset(&command->signals);
    sigaddset(&command->signals, SIGTERM);
    sigaddset(&command->signals, SIGHUP);
    sigaddset(&command->signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &command->signals, &command->before);
    fflush(NULL);
    command->pid = fork();
    if (command->pid == 0) {
        close(go[1]);
        close(failed[0]);
        if (setenv("GEMINI_BATCH_TELEMETRY", "1", 1) < 0 || setenv("GEMINI_BATCH_TELEMETRY_DIR", directory, 1) < 0)
            _exit(126);
        run_child(command, go[0], failed[1]);
    }
    error = command->pid < 0 ? -errno : 0;
    close(go[0]);
    close(failed[1]);
    command->go = go[1];
    command->failed = failed[0];
    if (error < 0) {
        run_command_cancel(command);
        return error;
    }
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* inherited as ignored, there would be no status */
    return 0;
}

static void close_pipes(struct run_command *command)
{
    if (command->go >= 0)
        close(command->go);
    if (command->failed >= 0)
        close(command->failed);
    command->go = command->failed = -1;
}

static int reap(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

int run_command_start(struct run_command *command)
{
    int error = 0;
    ssize_t got = write(command->go, "!", 1);
    if (got == 1)
        do
            got = read(command->failed, &error, sizeof(error));
        while (got < 0 && errno == EINTR);
    close_pipes(command);
    if (got != (ssize_t)sizeof(error))
        return 0; /* the pipe was closed by its exec */
    reap(command->pid);
    return -error;
}

void run_command_cancel(struct run_command *command)
{
    close_pipes(command);
    if (command->pid > 0)
        reap(command->pid);
    sigprocmask(SIG_SETMASK, &command->before, NULL);
}

int run_command_wait(struct run_command *command, void (*ended)(void *context, pid_t pid, int signal), void *context)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)command->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno != EINTR)
            return 0;
        if (info.si_pid == command->pid) {
            ended(context, command->pid, info.si_code == CLD_EXITED ? 0 : info.si_status);
            return reap(command->pid);
        }
        int number = sigwaitinfo(&command->signals, NULL);
        if (number == SIGTERM || number == SIGHUP)
            kill(command->pid, number);
    }
}

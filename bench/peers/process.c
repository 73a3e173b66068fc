/* SPDX-License-Identifier: MIT */
/* See process.h. */
#include "bench/peers/process.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/child.h"

#define DEADLINE_MS 30000
#define PROCESSES_MOST 4096

static int path_of(const char *program, char *ret_path, size_t room)
{
    ssize_t length = readlink("/proc/self/exe", ret_path, room - 1);
    if (length < 0)
        return -errno;
    ret_path[length] = 0;
    char *slash = strrchr(ret_path, '/');
    if ((size_t)(slash + 1 - ret_path) + strlen(program) + 1 > room)
        return -ENAMETOOLONG;
    strcpy(slash + 1, program);
    return access(ret_path, X_OK) ? -errno : 0;
}

static int make_mailbox(struct peer_process *peer, int *ret_fd)
{
    *ret_fd = memfd_create("gb-bench-mailbox", 0);
    if (*ret_fd < 0 || ftruncate(*ret_fd, sizeof(struct mailbox)))
        return -errno;
    peer->mailbox = mmap(NULL, sizeof(struct mailbox), PROT_READ | PROT_WRITE, MAP_SHARED, *ret_fd, 0);
    if (peer->mailbox == MAP_FAILED) {
        peer->mailbox = NULL;
        return -errno;
    }
    strcpy(peer->directory, "/dev/shm/gb-bench-peer-XXXXXX");
    return mkdtemp(peer->directory) ? 0 : -errno;
}

static int await_answer(struct peer_process *peer)
{
    for (int ms = 0; ms < DEADLINE_MS; ms += 500) {
        if (mailbox_await_for(peer->mailbox, TURN_BENCH, 500) == 0)
            return 0;
        if (waitpid(peer->pid, NULL, WNOHANG) == peer->pid) {
            peer->pid = 0;
            break;
        }
    }
    snprintf(peer->mailbox->text, sizeof(peer->mailbox->text), "it ended or hung without an answer");
    return -EIO;
}

int peer_start(const char *program, struct peer_process *ret_peer)
{
    char path[512], fd_text[16];
    int fd = -1;
    *ret_peer = (struct peer_process){0};
    int error = path_of(program, path, sizeof(path));
    if (error)
        return error;
    error = make_mailbox(ret_peer, &fd);
    if (!error) {
        snprintf(fd_text, sizeof(fd_text), "%d", fd);
        ret_peer->pid = fork();
        if (ret_peer->pid == 0) {
            execl(path, program, fd_text, ret_peer->directory, (char *)NULL);
            _exit(127);
        }
        error = ret_peer->pid < 0 ? -errno : await_answer(ret_peer);
    }
    if (fd >= 0)
        close(fd);
    if (!error && ret_peer->mailbox->failed)
        error = -EIO;
    return error;
}

int peer_obey(struct peer_process *peer, enum mailbox_command command, uint32_t variant, uint32_t calls, int64_t ns)
{
    struct mailbox *mailbox = peer->mailbox;
    if (peer->pid <= 0)
        return -EIO;
    mailbox->command = command;
    mailbox->variant = variant;
    mailbox->calls = calls;
    mailbox->ns = ns;
    mailbox_give(mailbox, TURN_PEER);
    return await_answer(peer);
}

static struct parenthood {
    pid_t pid, parent;
} processes[PROCESSES_MOST];

static unsigned read_processes(void)
{
    unsigned count = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && count < PROCESSES_MOST && (entry = readdir(proc));) {
        char path[300], text[512] = "";
        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        FILE *stat = entry->d_name[0] >= '0' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (!stat)
            continue;
        size_t length = fread(text, 1, sizeof(text) - 1, stat);
        text[length] = 0;
        fclose(stat);
        const char *after = strrchr(text, ')'); /* the name before it may hold anything */
        if (after)
            processes[count++] =
                (struct parenthood){(pid_t)strtol(entry->d_name, NULL, 10), (pid_t)strtol(after + 4, NULL, 10)};
    }
    if (proc)
        closedir(proc);
    return count;
}

static bool descends(pid_t pid, pid_t from, unsigned count)
{
    for (unsigned steps = 0; pid > 1 && steps < 16; steps++) {
        if (pid == from)
            return true;
        unsigned i = 0;
        while (i < count && processes[i].pid != pid)
            i++;
        pid = i < count ? processes[i].parent : 0;
    }
    return false;
}

double peer_cpu_ns(const struct peer_process *peer)
{
    double sum = 0;
    unsigned count = read_processes();
    for (unsigned i = 0; i < count; i++) {
        if (descends(processes[i].pid, peer->pid, count))
            sum += cpu_of(processes[i].pid) * 1e9;
    }
    return sum;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

void peer_end(struct peer_process *peer)
{
    if (peer->pid > 0 && !peer->mailbox->failed)
        peer_obey(peer, COMMAND_END, 0, 0, 0);
    if (peer->pid > 0) {
        kill(peer->pid, SIGTERM);
        waitpid(peer->pid, NULL, 0);
    }
    if (peer->directory[0])
        nftw(peer->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (peer->mailbox)
        munmap(peer->mailbox, sizeof(struct mailbox));
    *peer = (struct peer_process){0};
}

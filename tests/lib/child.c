/* SPDX-License-Identifier: MIT */
/* See child.h. */
#include "tests/lib/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "lib/process.h"
#include "lib/rings.h"

char scratch[64];

#ifdef __SANITIZE_THREAD__
/* The child of a fork has no other threads, and does not miss them. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "report_thread_leaks=0";
}
#endif

int scratch_make(void **state)
{
    (void)state;
    strcpy(scratch, "/dev/shm/gb-test-XXXXXX");
    if (!mkdtemp(scratch))
        return -1;
    setenv("GEMINI_BATCH_TELEMETRY", "1", 1);
    setenv("GEMINI_BATCH_TELEMETRY_DIR", scratch, 1);
    return 0;
}

void scratch_empty(void)
{
    DIR *dir = opendir(scratch);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

int scratch_remove(void **state)
{
    (void)state;
    scratch_empty();
    return rmdir(scratch);
}

static pid_t start(void (*test)(void), int output)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (output >= 0)
            dup2(output, STDERR_FILENO);
        alarm(120); /* a test that hangs fails */
        test();
        _exit(0);
    }
    return pid;
}

void in_child(void (*test)(void))
{
    int status;
    pid_t pid = start(test, -1);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status == CANNOT << 8)
        skip();
    assert_int_equal(status, 0);
}

unsigned in_child_output(void (*test)(void), char *ret_text, size_t room)
{
    int ends[2], status;
    unsigned lines = 0;
    size_t length = 0;
    ssize_t got;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = start(test, ends[1]);
    assert_true(pid > 0);
    close(ends[1]);
    while (length < room - 1 && (got = read(ends[0], ret_text + length, room - 1 - length)) > 0)
        length += (size_t)got;
    ret_text[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status == CANNOT << 8)
        skip();
    if (status)
        print_message("%s", ret_text);
    assert_int_equal(status, 0);
    for (const char *at = ret_text; (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}

void wait_for(pid_t pid)
{
    int status = -1;
    CHECK(pid > 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_EQUAL(status, 0);
}

bool mount_small(const char *size)
{
    char options[64];
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return false;
    snprintf(options, sizeof options, "size=%s,mode=0700", size);
    return mount("tmpfs", scratch, "tmpfs", 0, options) == 0;
}

unsigned scratch_count(const char *prefix, uint64_t *ret_bytes)
{
    unsigned count = 0;
    uint64_t bytes = 0;
    struct stat st;
    DIR *dir = opendir(scratch);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        count++;
        if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0)
            bytes += (uint64_t)st.st_blocks * 512;
    }
    if (dir)
        closedir(dir);
    if (ret_bytes)
        *ret_bytes = bytes;
    return count;
}

uint64_t attempted(void)
{
    struct gb_stats stats;
    gb_stats(&stats);
    return stats.attempted;
}

uint64_t dropped(unsigned cause)
{
    struct gb_stats stats;
    gb_stats(&stats);
    return stats.dropped[cause];
}

/* The path of the event in a slot of ring 0, as text. */
static void path_at(uint64_t slot, char *to, size_t room)
{
    const struct gb_thread *thread = rings_at(0);
    uint32_t id = (uint32_t)(thread->slots[slot & thread->mask].word[0] >> 32), chain[16], depth = 0;
    size_t at = 0;
    for (; id; id = process_segment()->names[id].parent)
        chain[depth++] = id;
    while (depth--) {
        const struct gbw_name *name = &process_segment()->names[chain[depth]];
        at += (size_t)snprintf(to + at, room - at, "%.*s%s", name->length, process_segment()->text + name->text,
                               depth ? "." : "");
    }
}

void expect_path(uint64_t slot, const char *expected)
{
    char text[256] = "";
    path_at(slot, text, sizeof text);
    if (strcmp(text, expected) != 0)
        dprintf(2, "%s instead of %s\n", text, expected);
    CHECK(strcmp(text, expected) == 0);
}

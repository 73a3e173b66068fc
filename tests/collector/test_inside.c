/* SPDX-License-Identifier: MIT */
/* FAULTS 14, 16: a file of the segments' directory is what stands there itself; with openat2, and where the kernel has none. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/inside.h"
#include "tests/collector/fake_segment.h"

static struct fake_directory directory, neighbour;

static void touch(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, name, 1), 1);
    close(fd);
}

static int set_up(void **state)
{
    (void)state;
    fake_directory_make(&directory);
    fake_directory_make(&neighbour);
    touch(directory.fd, "file");
    touch(neighbour.fd, "secret");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_directory_remove(&directory);
    fake_directory_remove(&neighbour);
    return 0;
}

static int open_one(int directory_fd, const char *name, int flags)
{
    int fd = inside_open(directory_fd, name, flags, 0600);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

/* What does not hold, or NULL: also for a child, which has no cmocka. */
static const char *look(void)
{
    char path[160], self[16];
    struct stat status;
    if (open_one(directory.fd, "file", O_RDWR) || open_one(directory.fd, "nothing", O_RDWR) != -ENOENT)
        return "a file, and none";
    if (open_one(directory.fd, "file", O_RDWR | O_CREAT | O_EXCL) != -EEXIST ||
        open_one(directory.fd, "fresh", O_RDWR | O_CREAT | O_EXCL) || fstatat(directory.fd, "fresh", &status, 0) ||
        status.st_mode != (S_IFREG | 0600))
        return "a new file";
    if (symlinkat("file", directory.fd, "link") || open_one(directory.fd, "link", O_RDWR) != -ELOOP ||
        open_one(directory.fd, "link", O_RDWR | O_CREAT) != -ELOOP)
        return "a link to what is inside";
    snprintf(path, sizeof(path), "%s/secret", neighbour.path);
    if (symlinkat(path, directory.fd, "away") || open_one(directory.fd, "away", O_RDONLY) != -ELOOP)
        return "a link to what is outside";
    if (open_one(directory.fd, path, O_RDONLY) != -EXDEV)
        return "an absolute path";
    snprintf(path, sizeof(path), "../%s/secret", strrchr(neighbour.path, '/') + 1);
    if (open_one(directory.fd, path, O_RDONLY) != -EXDEV || open_one(directory.fd, "..", O_RDONLY) != -EXDEV)
        return "a path by ..";
    int own = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(self, sizeof(self), "%d", directory.fd);
    if (open_one(own, self, O_RDONLY) != -ELOOP)
        return "a magic link";
    close(own);
    int fd = mkfifoat(directory.fd, "fifo", 0600) ? -1 : inside_open(directory.fd, "fifo", O_RDONLY, 0);
    if (fd < 0 || !(fcntl(fd, F_GETFL) & O_NONBLOCK) || !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
        return "a FIFO is opened without waiting";
    close(fd);
    return NULL;
}

static void by_the_kernel(void **state)
{
    (void)state;
    const char *wrong = look();
    if (wrong)
        fail_msg("%s", wrong);
}

/* As an old kernel, or a container's filter: openat2 says `error`. */
static int forbid_openat2(unsigned error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void look_without_openat2(unsigned error)
{
    int status;
    pid_t child = fork();
    if (!child) {
        if (forbid_openat2(error))
            _exit(1);
        const char *wrong = syscall(SYS_openat2, -1, "", NULL, 0L) == -1 && errno == (int)error ? look() : "no filter";
        if (wrong)
            fprintf(stderr, "%s\n", wrong);
        _exit(wrong ? 2 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void by_old_kernels(void **state)
{
    (void)state;
    look_without_openat2(ENOSYS);
}

static void under_a_filter(void **state)
{
    (void)state;
    look_without_openat2(EPERM);
}

/* In namespaces of its own; where none can be made there is nothing to see. */
static void bind_mount(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    if (!child) {
        char from[160], to[160];
        snprintf(from, sizeof(from), "%s/secret", neighbour.path);
        snprintf(to, sizeof(to), "%s/file", directory.path);
        if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount(from, to, NULL, MS_BIND, NULL))
            _exit(77);
        int again = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* as these namespaces see it */
        _exit(open_one(again, "file", O_RDONLY) == -EXDEV ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_the_kernel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(by_old_kernels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(under_a_filter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bind_mount, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

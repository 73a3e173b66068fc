/* SPDX-License-Identifier: MIT */
/*
 * What a process in the sandbox can do, and what it cannot. Each test enters it in a child, since nothing leads out; the child
 * tells what it saw by its exit status: 0, or the number of the line that was wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/landlock.h"
#include "collector/options.h"
#include "collector/outside.h"
#include "collector/sandbox.h"
#include "collector/syscalls.h"
#include "tests/collector/fake_segment.h"

#define EXPECT(what)                                                                                                   \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: %s (%s)\n", __func__, __LINE__, #what, strerror(errno));                           \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static struct fake_directory base;
static char segments[128], outputs[128], elsewhere[128];

static int set_up(void **state)
{
    (void)state;
    fake_directory_make(&base);
    snprintf(segments, sizeof(segments), "%s/segments", base.path);
    snprintf(outputs, sizeof(outputs), "%s/outputs", base.path);
    snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", base.path);
    return mkdir(segments, 0700) || mkdir(outputs, 0700) || mkdir(elsewhere, 0700);
}

static int tear_down(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof(command), "rm -rf %s/*", base.path);
    if (system(command))
        return -1;
    fake_directory_remove(&base);
    return 0;
}

static bool has_landlock(void)
{
    struct landlock landlock;
    int error = landlock_begin(&landlock);
    landlock_end(&landlock);
    return !error;
}

/* The segments stand one level deeper than outputs and elsewhere, so that the rule for their parent does not cover those. */
static void enter(const char *const *reporters, unsigned count)
{
    static struct reporter_spec specs[4];
    static char directory[160];
    char error[512];
    snprintf(directory, sizeof(directory), "%s/gb", segments);
    for (unsigned i = 0; i < count; i++)
        EXPECT(!reporter_spec_parse(reporters[i], &specs[i], error, sizeof(error)));
    EXPECT(!sandbox_enter(&(struct sandbox_plan){.directory = directory, .reporters = specs, .reporter_count = count}));
}

static void in_child(void (*run)(void))
{
    pid_t pid = fork();
    int status;
    if (!pid) {
        run();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int make(const char *directory, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

static void files(void)
{
    char report[192], from[192], to[192];
    snprintf(report, sizeof(report), "summary:path=%s/report", outputs);
    enter((const char *const[]){report}, 1);
    EXPECT(make(outputs, "report.1") == 0);
    snprintf(from, sizeof(from), "%s/report.1", outputs);
    snprintf(to, sizeof(to), "%s/report.2", outputs);
    EXPECT(rename(from, to) == 0 && unlink(to) == 0);
    EXPECT(make(segments, "gb") == 0); /* the directory's place */
    EXPECT(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
    EXPECT(make(elsewhere, "file") == -EACCES);
    EXPECT(open("/etc/passwd", O_WRONLY | O_CLOEXEC) < 0 && errno == EACCES);
    EXPECT(open("/root", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0 && errno == EACCES);
    snprintf(from, sizeof(from), "%s/link", outputs);
    EXPECT(symlink("/etc/passwd", from) < 0); /* by either: no rule for links, no such call in the list */
}

static void keeps_files_of_others_out(void **state)
{
    (void)state;
    if (!has_landlock())
        skip();
    in_child(files);
}

/* Outputs that are named by a link: a pipe of the shell's >(...), and a file in another directory. */
static void links(void)
{
    char report[192], pipe_name[64];
    int ends[2];
    EXPECT(!pipe2(ends, O_CLOEXEC));
    snprintf(pipe_name, sizeof(pipe_name), "log:path=/dev/fd/%d", ends[1]);
    snprintf(report, sizeof(report), "summary:path=%s/leads_elsewhere", outputs);
    enter((const char *const[]){pipe_name, report}, 2);
    EXPECT(open(strchr(pipe_name, '/'), O_WRONLY | O_CLOEXEC) >= 0);
    EXPECT(open(strchr(report, '/'), O_WRONLY | O_CLOEXEC) >= 0);
}

static void follows_links_of_outputs(void **state)
{
    (void)state;
    char link[192], target[192];
    if (!has_landlock())
        skip();
    snprintf(target, sizeof(target), "%s/target", elsewhere);
    snprintf(link, sizeof(link), "%s/leads_elsewhere", outputs);
    assert_int_equal(make(elsewhere, "target"), 0);
    assert_int_equal(symlink(target, link), 0);
    in_child(links);
}

#ifdef GB_WITH_BOTH_PORTS
static int try_connect(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
    close(fd);
    return error;
}

static int try_bind(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = bind(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
    close(fd);
    return error;
}

static void ports(void)
{
    enter((const char *const[]){"otlp:endpoint=http://127.0.0.1:1", "prometheus:listen=127.0.0.1:0"}, 2);
    EXPECT(try_connect(1) == -ECONNREFUSED);
    EXPECT(try_connect(2) == -EACCES);
    EXPECT(try_bind(0) == 0);
    EXPECT(try_bind(2) == -EACCES);
}

static void keeps_to_its_ports(void **state)
{
    (void)state;
    struct landlock landlock;
    int error = landlock_begin(&landlock);
    landlock_end(&landlock);
    if (error || landlock.abi < 4)
        skip();
    in_child(ports);
}
#endif

static void privileges(void)
{
    char line[256];
    unsigned long long bits;
    unsigned seen = 0;
    struct rlimit core;
    enter(NULL, 0);
    FILE *status = fopen("/proc/self/status", "re");
    EXPECT(status);
    while (fgets(line, sizeof(line), status))
        if (sscanf(line, "CapEff: %llx", &bits) == 1 || sscanf(line, "CapPrm: %llx", &bits) == 1 ||
            sscanf(line, "CapInh: %llx", &bits) == 1 || sscanf(line, "CapBnd: %llx", &bits) == 1) {
            EXPECT(!bits || geteuid());
            seen++;
        }
    EXPECT(seen == 4);
    EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    EXPECT(prctl(PR_GET_DUMPABLE) == 0);
    EXPECT(!getrlimit(RLIMIT_CORE, &core) && !core.rlim_max);
}

static void gives_up_privileges(void **state)
{
    (void)state;
    in_child(privileges);
}

static void *nothing(void *argument)
{
    return argument;
}

static void calls(void)
{
    char *const argv[] = {"true", NULL};
    pthread_t thread;
    enter(NULL, 0);
    EXPECT(syscalls_restrict() != -ENOTSUP);
    EXPECT(!pthread_create(&thread, NULL, nothing, NULL) && !pthread_join(thread, NULL));
    EXPECT(fork() < 0 && errno == EPERM);
    EXPECT(execv("/bin/true", argv) < 0 && errno == EPERM);
    EXPECT(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) < 0 && errno == EPERM);
    EXPECT(unshare(CLONE_NEWUSER) < 0 && errno == EPERM);
    EXPECT(syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == EPERM);
    EXPECT(kill(getppid(), 0) < 0 && errno == EPERM);
    EXPECT(ioctl(STDOUT_FILENO, TIOCSTI, "x") < 0 && errno == EPERM);
    EXPECT(chmod(outputs, 0777) < 0 && errno == EPERM);
}

static void restricts_system_calls(void **state)
{
    (void)state;
    pid_t pid = fork();
    int status;
    if (!pid)
        _exit(syscalls_restrict() == -ENOTSUP ? 77 : 0);
    waitpid(pid, &status, 0);
    if (WEXITSTATUS(status) == 77)
        skip();
    in_child(calls);
}

static int run_to_end(const char *command, int input)
{
    pid_t pid;
    int status, error = outside_spawn(command, input, &pid);
    if (error)
        return error;
    while (!outside_ended(pid, &status))
        sched_yield();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void programs(void)
{
    int ends[2];
    pid_t pid;
    int status;
    enter((const char *const[]){"exec:command=read a && exit $a", "exec:command=sleep 1000"}, 2);
    EXPECT(!pipe2(ends, O_CLOEXEC) && write(ends[1], "7\n", 2) == 2);
    EXPECT(run_to_end("read a && exit $a", ends[0]) == 7);
    EXPECT(run_to_end("rm -rf nothing", ends[0]) == -EPERM);
    EXPECT(!outside_spawn("sleep 1000", ends[0], &pid) && !outside_ended(pid, &status));
    outside_kill(pid, SIGKILL);
    while (!outside_ended(pid, &status))
        sched_yield();
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void starts_known_programs_outside(void **state)
{
    (void)state;
    in_child(programs);
}

/* A worker's maps are closed to a process in a Landlock domain: the process outside looks. */
static void maps(void)
{
    struct stat status;
    char path[192];
    int ends[2];
    EXPECT(!pipe2(ends, O_CLOEXEC));
    snprintf(path, sizeof(path), "%s/mapped", outputs);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    EXPECT(fd >= 0 && !ftruncate(fd, 4096) && !fstat(fd, &status));
    void *mapping = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT(mapping != MAP_FAILED);
    pid_t worker = fork();
    if (!worker) { /* lives until its parent is gone */
        close(ends[1]);
        _exit(read(ends[0], path, 1) != 0);
    }
    EXPECT(!munmap(mapping, 4096));
    enter(NULL, 0);
    EXPECT(outside_maps(worker, status.st_dev, status.st_ino) == OUTSIDE_MAPPED);
    EXPECT(outside_maps(worker, status.st_dev, status.st_ino + 1) == OUTSIDE_NOT_MAPPED);
    EXPECT(outside_maps(getpid(), status.st_dev, status.st_ino) != OUTSIDE_MAPPED);
}

static void looks_into_maps_outside(void **state)
{
    (void)state;
    in_child(maps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_files_of_others_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(follows_links_of_outputs, set_up, tear_down),
#ifdef GB_WITH_BOTH_PORTS
        cmocka_unit_test_setup_teardown(keeps_to_its_ports, set_up, tear_down),
#endif
        cmocka_unit_test_setup_teardown(gives_up_privileges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(restricts_system_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(starts_known_programs_outside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(looks_into_maps_outside, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}

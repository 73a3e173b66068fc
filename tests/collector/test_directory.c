/* SPDX-License-Identifier: MIT */
/* FAULTS 16: which directories are used, and the sentence for each that is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/directory.h"
#include "tests/collector/fake_segment.h"

static struct fake_directory base;
static char path[128], why[640];

static int set_up(void **state)
{
    (void)state;
    fake_directory_make(&base);
    snprintf(path, sizeof(path), "%s/segments", base.path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_directory_remove(&base);
    return 0;
}

static void refused(const char *what, int expected, const char *sentence)
{
    struct directory directory;
    int error = directory_open(what, false, &directory, why, sizeof(why));
    if (error != expected || !strstr(why, sentence) || (what && *what && !strstr(why, what)))
        fail_msg("%d: %s", error, why);
}

static void makes_and_opens(void **state)
{
    (void)state;
    struct directory directory;
    struct stat status;
    refused(path, -ENOENT, "No such file");
    mode_t before = umask(0);
    assert_int_equal(directory_open(path, true, &directory, why, sizeof(why)), 0);
    umask(before);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(directory.owner, geteuid());
    assert_true(directory_is_current(&directory));
    assert_int_equal(rmdir(path), 0);
    assert_false(directory_is_current(&directory));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(directory_is_current(&directory)); /* another one */
    directory_close(&directory);

    strcat(path, "/"); /* the slash goes */
    assert_int_equal(directory_open(path, true, &directory, why, sizeof(why)), 0);
    assert_int_equal(strlen(directory.path), strlen(path) - 1);
    directory_close(&directory);
}

static void refuses_others(void **state)
{
    (void)state;
    char link[140], below[140];
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, 0777), 0);
    refused(path, -EPERM, "others than its owner can write");
    assert_int_equal(chmod(path, 0770), 0);
    refused(path, -EPERM, "others than its owner can write");
    assert_int_equal(chmod(path, 01777), 0);
    refused(path, -EPERM, "others than its owner can write");
    assert_int_equal(chmod(path, 0700), 0);

    snprintf(link, sizeof(link), "%s/link", base.path);
    assert_int_equal(symlink(path, link), 0);
    refused(link, -ELOOP, "it is a symbolic link");
    struct directory directory;
    strcat(link, "//");
    assert_int_equal(directory_open(link, true, &directory, why, sizeof(why)), -ELOOP);

    snprintf(below, sizeof(below), "%s/file", base.path);
    fclose(fopen(below, "w"));
    refused(below, -ENOTDIR, "it is not a directory");
    refused("", -EINVAL, "empty");
    snprintf(below, sizeof(below), "%s/no/such", base.path);
    assert_int_equal(directory_open(below, true, &directory, why, sizeof(why)), -ENOENT);
    assert_non_null(strstr(why, "the directory above it does not exist"));
}

static void refuses_other_filesystems(void **state)
{
    (void)state;
    refused("/proc", -EPERM, "not on a tmpfs");
}

/* Root takes another user's directory, and says whose segments it wants; another user does not. */
static void foreign_owner(void **state)
{
    (void)state;
    struct directory directory;
    int status;
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
    assert_int_equal(directory_open(path, true, &directory, why, sizeof(why)), 0);
    assert_int_equal(directory.owner, 12345);
    directory_close(&directory);
    assert_int_equal(chmod(base.path, 0755), 0);
    assert_int_equal(chmod(path, 0755), 0);
    pid_t child = fork();
    if (!child) {
        if (setuid(54321))
            _exit(1);
        int error = directory_open(path, true, &directory, why, sizeof(why));
        _exit(error == -EPERM && strstr(why, "somebody else owns it") ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_and_opens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_other_filesystems, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foreign_owner, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

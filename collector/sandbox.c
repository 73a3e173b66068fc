/* SPDX-License-Identifier: MIT */
/* See sandbox.h. The order: the process outside while all is allowed; what needs capabilities; then each step takes away. */
#include "collector/sandbox.h"

#include <errno.h>
#include <libgen.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collector/directory.h"
#include "collector/landlock.h"
#include "collector/outside.h"
#include "collector/plugin.h"
#include "collector/reporters/builtin.h"
#include "collector/sandbox_reach.h"
#include "collector/say.h"
#include "collector/syscalls.h"

#define DNS_PORT 53
#define PRIVILEGED_PORTS 1024

struct sandbox {
    const struct sandbox_plan *plan;
    struct landlock landlock;
    bool has_landlock;
    int error;             /* the first of a rule */
    uint64_t capabilities; /* that are kept */
    const char *commands[OUTSIDE_COMMANDS_MAX];
    unsigned command_count;
};

/* Libraries and settings that the C library, libcurl and sqlite may still open; liveness.c looks into /proc. */
static const char *const read_only[] = {"/etc",      "/usr",         "/lib",
                                        "/lib64",    "/proc",        "/sys/devices/system",
                                        "/dev/null", "/dev/urandom", "/run/systemd/resolve",
                                        "/run/nscd"};

static void allow(struct sandbox *sandbox, const char *path, enum landlock_path what)
{
    int error = sandbox->has_landlock ? landlock_allow_path(&sandbox->landlock, path, what) : 0;
    if (error && error != -ENOENT && error != -ENOTDIR && error != -EACCES && !sandbox->error)
        sandbox->error = error;
}

static void allow_beside(struct sandbox *sandbox, const char *path, enum landlock_path what)
{
    char *copy = strdup(path);
    if (copy)
        allow(sandbox, dirname(copy), what);
    else
        sandbox->error = -ENOMEM;
    free(copy);
}

/* Root without capabilities is a stranger to the files of others. */
static void note_owner(struct sandbox *sandbox, const char *path)
{
    struct stat status;
    if (!geteuid() && !stat(path, &status) && status.st_uid != 0)
        sandbox->capabilities |= 1ull << CAP_DAC_OVERRIDE;
}

/* ---- what reporters reach ---- */

static void writes(void *context, const char *path)
{
    struct stat status;
    char *copy = strdup(path);
    if (strcmp(path, "-") == 0 || !copy) {
        free(copy);
        return;
    }
    note_owner(context, path);
    note_owner(context, dirname(copy));
    free(copy);
    if (!stat(path, &status) && !S_ISREG(status.st_mode)) {
        allow(context, path, LANDLOCK_WRITE); /* a device, a pipe: nothing is made beside it */
        return;
    }
    char *target = realpath(path, NULL); /* a symbolic link: also where it leads */
    if (target)
        allow_beside(context, target, LANDLOCK_WRITE);
    free(target);
    allow_beside(context, path, LANDLOCK_WRITE);
}

static void reads(void *context, const char *path)
{
    allow(context, path, LANDLOCK_READ);
}

static void allow_port(struct sandbox *sandbox, unsigned port, enum landlock_port what)
{
    int error = sandbox->has_landlock ? landlock_allow_port(&sandbox->landlock, port, what) : 0;
    if (error && !sandbox->error)
        sandbox->error = error;
}

static void connects(void *context, unsigned port)
{
    allow_port(context, port, LANDLOCK_CONNECT);
    allow_port(context, DNS_PORT, LANDLOCK_CONNECT);
}

static void listens(void *context, unsigned port)
{
    struct sandbox *sandbox = context;
    allow_port(sandbox, port, LANDLOCK_BIND);
    if (port && port < PRIVILEGED_PORTS)
        sandbox->capabilities |= 1ull << CAP_NET_BIND_SERVICE;
}

static void runs(void *context, const char *command)
{
    struct sandbox *sandbox = context;
    if (sandbox->command_count < OUTSIDE_COMMANDS_MAX)
        sandbox->commands[sandbox->command_count++] = command;
}

static void ask_reporters(struct sandbox *sandbox)
{
    const struct gb_reach reach = {writes, reads, connects, listens, runs, sandbox};
    for (unsigned i = 0; i < sandbox->plan->reporter_count; i++) {
        const struct reporter_spec *spec = &sandbox->plan->reporters[i];
        if (spec->reporter->reach)
            spec->reporter->reach(spec->values, &reach);
    }
}

/* ---- the steps ---- */

/* The directory's own parent is in it: the directory is made again where somebody removed it. */
static void allow_directories(struct sandbox *sandbox)
{
    char path[DIRECTORY_PATH_MAX];
    directory_name(sandbox->plan->directory, path, sizeof(path));
    note_owner(sandbox, path);
    allow_beside(sandbox, path, LANDLOCK_WRITE_AND_MAKE);
    if (sandbox->plan->config)
        allow_beside(sandbox, sandbox->plan->config, LANDLOCK_READ);
    allow(sandbox, "/proc/self/task", LANDLOCK_WRITE); /* the names of threads */
    allow(sandbox, "/proc/self/exe", LANDLOCK_READ);   /* a sanitizer names functions by it */
    for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++)
        allow(sandbox, read_only[i], LANDLOCK_READ);
}

static int keep_capabilities(uint64_t kept)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2], next[2] = {0};
    if (syscall(SYS_capget, &header, data))
        return -errno;
    for (unsigned i = 0; i < 2; i++)
        next[i].effective = next[i].permitted = data[i].permitted & (uint32_t)(kept >> (32 * i));
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        if (!(kept >> capability & 1))
            prctl(PR_CAPBSET_DROP,
                  capability); /* without CAP_SETPCAP it cannot, and need not: nothing new is started */
    return syscall(SYS_capset, &header, next) ? -errno : 0;
}

static int forbid_dumps(void)
{
    const struct rlimit none = {0};
    return setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0) ? -errno : 0;
}

static int give_up(struct sandbox *sandbox, const char **ret_what)
{
    *ret_what = "start the process for programs";
    int error = outside_start(sandbox->commands, sandbox->command_count);
    if (error)
        return error;
    *ret_what = "forbid core dumps";
    error = forbid_dumps();
    if (error)
        return error;
    *ret_what = "drop capabilities";
    error = keep_capabilities(sandbox->capabilities);
    if (error)
        return error;
    *ret_what = "set no_new_privs";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -errno;
    *ret_what = "make a Landlock domain";
    error = sandbox->error;
    if (!error && sandbox->has_landlock)
        error = landlock_enter(&sandbox->landlock);
    if (error)
        return error;
    *ret_what = "restrict system calls";
    error = syscalls_restrict();
    return error == -ENOTSUP ? 0 : error;
}

static bool has_plugin(const struct sandbox_plan *plan)
{
    for (unsigned i = 0; i < plan->reporter_count; i++) {
        if (builtin_find(plan->reporters[i].reporter->name) == plan->reporters[i].reporter)
            continue;
        say("%s is a plug-in, of which nobody knows what it reaches: there is no sandbox", plan->reporters[i].name);
        return true;
    }
    return false;
}

int sandbox_enter(const struct sandbox_plan *plan)
{
    struct sandbox sandbox = {.plan = plan};
    const char *what;
    if (has_plugin(plan))
        return 0;
    int error = landlock_begin(&sandbox.landlock);
    sandbox.has_landlock = !error;
    if (error)
        say("sandbox: this kernel has no Landlock (%s): files and ports are not restricted", strerror(-error));
    allow_directories(&sandbox);
    ask_reporters(&sandbox);
    error = give_up(&sandbox, &what);
    landlock_end(&sandbox.landlock);
    if (error)
        say("sandbox: cannot %s: %s (--no-sandbox goes without)", what, strerror(-error));
    else if (sandbox.has_landlock)
        sandbox_reach_note(plan->reporters, plan->reporter_count, landlock_knows_ports(&sandbox.landlock));
    return error;
}

/* SPDX-License-Identifier: MIT */
/* See config.h. */
#include "lib/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gb/wire.h"
#include "lib/say.h"
#include "lib/text.h"

#define ENV "GEMINI_BATCH_TELEMETRY"
#define MAX_BYTES_LIMIT (1ull << 40)

struct settings gb_settings;

/* NULL for what is unset, empty, or not to be trusted in a program that runs with more rights than its user. */
static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value ? value : NULL;
}

/* A field of the caller's struct, unless that is an older, shorter one. */
#define GIVEN(code, field)                                                                                             \
    ((code) && (code)->size >= offsetof(struct gb_config, field) + sizeof((code)->field) ? (code)->field : 0)

bool config_enabled(const struct gb_config *code)
{
    enum gb_choice choice = GIVEN(code, enabled);
    const char *value = environment(ENV);
    return choice == GB_FROM_ENVIRONMENT ? value && strcmp(value, "1") == 0 : choice == GB_YES;
}

static bool read_bool(const char *name, enum gb_choice choice)
{
    const char *value = environment(name);
    if (choice != GB_FROM_ENVIRONMENT)
        return choice == GB_YES;
    if (!value || strcmp(value, "0") == 0)
        return false;
    if (strcmp(value, "1") == 0)
        return true;
    say("%s=%s is neither yes nor no; accepted: 1, 0; using the default 0", name, value);
    return false;
}

/* "1048576", "1024K", "1M", "1G". */
static bool parse_size(const char *text, uint64_t *ret_size)
{
    uint64_t size = 0;
    unsigned shift = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(size, 10u, &size) || __builtin_add_overflow(size, (unsigned)(*at - '0'), &size))
            return false;
    if (at == text)
        return false;
    if (*at == 'K' || *at == 'k')
        shift = 10;
    else if (*at == 'M' || *at == 'm')
        shift = 20;
    else if (*at == 'G' || *at == 'g')
        shift = 30;
    if (shift)
        at++;
    if (*at || size > UINT64_MAX >> shift)
        return false;
    *ret_size = size << shift;
    return true;
}

static bool ring_bytes_ok(uint64_t size)
{
    return size >= GBW_RING_BYTES_MIN && size <= GBW_RING_BYTES_MAX && (size & (size - 1)) == 0;
}

static bool max_bytes_ok(uint64_t size)
{
    return size >= GBW_RING_BYTES_MIN && size <= MAX_BYTES_LIMIT;
}

/* One of the two sizes. */
struct size_rule {
    const char *name, *field;
    bool (*ok)(uint64_t size);
    const char *accepted, *default_text;
    uint64_t default_size;
};
static const struct size_rule ring_rule = {
    ENV "_RING_BYTES", "ring_bytes",      ring_bytes_ok, "a power of two from 16K to 1G, in bytes or with K, M or G",
    "1048576",         RING_BYTES_DEFAULT};
static const struct size_rule max_rule = {ENV "_MAX_BYTES",
                                          "max_bytes",
                                          max_bytes_ok,
                                          "16K to 1024G, in bytes or with K, M or G",
                                          "(the smaller of 64M and a quarter of the free space)",
                                          0};

static uint64_t read_size(const struct size_rule *rule, uint64_t given, int *ret_error)
{
    uint64_t size = given;
    const char *value = environment(rule->name);

    if (given) {
        if (rule->ok(given))
            return given;
        say("gb_init: %s %llu is not a size in range; accepted: %s; using the default %s", rule->field,
            (unsigned long long)given, rule->accepted, rule->default_text);
        *ret_error = -EINVAL;
        return rule->default_size;
    }
    if (!value)
        return rule->default_size;
    if (parse_size(value, &size) && rule->ok(size))
        return size;
    say("%s=%s is not a size in range; accepted: %s; using the default %s", rule->name, value, rule->accepted,
        rule->default_text);
    return rule->default_size;
}

static enum clock_wish read_clock(const char *given, int *ret_error)
{
    static const struct {
        const char *text;
        enum clock_wish wish;
    } clocks[] = {{"auto", CLOCK_WISH_AUTO}, {"tsc", CLOCK_WISH_TSC}, {"monotonic", CLOCK_WISH_MONOTONIC}};
    const char *value = given ? given : environment(ENV "_CLOCK");

    if (!value)
        return CLOCK_WISH_AUTO;
    for (unsigned i = 0; i < sizeof clocks / sizeof *clocks; i++)
        if (strcmp(value, clocks[i].text) == 0)
            return clocks[i].wish;
    say("%s%s is not a clock; accepted: auto, tsc, monotonic; using the default auto",
        given ? "gb_init: clock " : ENV "_CLOCK=", value);
    if (given)
        *ret_error = -EINVAL;
    return CLOCK_WISH_AUTO;
}

static enum overflow read_overflow(void)
{
    const char *value = environment(ENV "_OVERFLOW");
    if (!value || strcmp(value, "fold") == 0)
        return OVERFLOW_FOLD;
    if (strcmp(value, "drop") == 0)
        return OVERFLOW_DROP;
    if (strcmp(value, "overwrite") == 0)
        return OVERFLOW_OVERWRITE;
    say("%s=%s is no way to treat a full ring; accepted: fold, drop, overwrite; using the default fold",
        ENV "_OVERFLOW", value);
    return OVERFLOW_FOLD;
}

static void default_directory(char to[DIRECTORY_MAX])
{
    static const char start[] = "/dev/shm/gb-";
    char digits[12];
    size_t n = 0, at = sizeof start - 1;
    unsigned uid = (unsigned)geteuid();

    do
        digits[n++] = (char)('0' + uid % 10);
    while ((uid /= 10) != 0);
    memcpy(to, start, at);
    while (n)
        to[at++] = digits[--n];
    to[at] = '\0';
}

/* A relative path is one from where the program stands now: it may go elsewhere later. */
static bool absolute(const char *path, char to[DIRECTORY_MAX])
{
    size_t length = strlen(path), at = 0;
    if (*path != '/') {
        if (!getcwd(to, DIRECTORY_MAX - 1) || *to != '/')
            return false;
        at = strlen(to);
        to[at++] = '/';
    }
    if (at + length >= DIRECTORY_MAX)
        return false;
    memcpy(to + at, path, length + 1);
    return true;
}

static void read_directory(const char *given, char to[DIRECTORY_MAX], int *ret_error)
{
    const char *value = given && *given ? given : environment(ENV "_DIR");
    if (value && absolute(value, to))
        return;
    default_directory(to);
    if (!value)
        return;
    say("%s%s is too long; accepted: the path of a directory on a tmpfs, under %u bytes; using the default %s",
        given ? "gb_init: directory " : ENV "_DIR=", value, (unsigned)DIRECTORY_MAX, to);
    if (given)
        *ret_error = -EINVAL;
}

static void read_text(const char *text, char *to, size_t room)
{
    to[text_clean(to, room - 1, text, strlen(text))] = '\0';
}

static void read_secrets(const char *given, char *to, size_t room)
{
    const char *more[] = {given, environment(ENV "_SECRETS")};
    size_t at = 0;

    for (unsigned i = 0; i < 2; i++) {
        size_t length = more[i] ? strlen(more[i]) : 0;
        if (length == 0)
            continue;
        if (at + length + 2 > room) {
            say("the list of secret words is too long; accepted: %u bytes in all; left out: %s", (unsigned)room - 2,
                more[i]);
            continue;
        }
        memcpy(to + at, more[i], length);
        at += length;
        to[at++] = ',';
    }
    to[at] = '\0';
}

int config_read(const struct gb_config *code, struct settings *ret_settings)
{
    struct settings *to = ret_settings;
    int error = 0;
    const char *service = GIVEN(code, service);

    memset(to, 0, sizeof *to);
    to->enabled = config_enabled(code);
    to->strict_scopes = read_bool(ENV "_STRICT_SCOPES", GIVEN(code, strict_scopes));
    to->raw_preview = read_bool(ENV "_RAW_PREVIEW", GIVEN(code, raw_preview));
    to->clock = read_clock(GIVEN(code, clock), &error);
    to->overflow = read_overflow();
    to->ring_bytes = read_size(&ring_rule, GIVEN(code, ring_bytes), &error);
    to->max_bytes = read_size(&max_rule, GIVEN(code, max_bytes), &error);
    read_directory(GIVEN(code, directory), to->directory, &error);
    read_secrets(GIVEN(code, secrets), to->secrets, sizeof to->secrets);
    read_text(program_invocation_short_name, to->program, sizeof to->program);
    if (!service || !*service)
        service = environment(ENV "_SERVICE");
    if (!service)
        service = environment("OTEL_SERVICE_NAME");
    read_text(service ? service : program_invocation_short_name, to->service, sizeof to->service);
    return error;
}

uint32_t config_rings_ahead(const struct gb_config *code)
{
    return GIVEN(code, rings_ahead);
}

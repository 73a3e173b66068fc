/* SPDX-License-Identifier: MIT */
/* What a worker makes of this environment: see settings.h. The rules are those of lib/config.c, which is not linked here: a
 * test starts a worker and compares. */
#include "collector/cli/settings.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "gb/wire.h"

#define PREFIX "GEMINI_BATCH_TELEMETRY"
#define PATH_LIMIT 1024u /* bytes of the directory's absolute path, with its zero */

/* One row: how a value is read. `read` writes what is in force and returns false for a bad one. */
struct rule {
    const char *name, *accepted, *fallback; /* fallback NULL: `standard` writes it */
    bool (*read)(const char *given, char *value);
    void (*standard)(char *value);
};

static bool read_switch(const char *given, char *value)
{
    strcpy(value, strcmp(given, "1") == 0 ? "on" : "off");
    return true; /* anything else is off, by design */
}

static bool read_flag(const char *given, char *value)
{
    strcpy(value, given);
    return strcmp(given, "0") == 0 || strcmp(given, "1") == 0;
}

static bool read_clock(const char *given, char *value)
{
    strcpy(value, given);
    return strcmp(given, "auto") == 0 || strcmp(given, "tsc") == 0 || strcmp(given, "monotonic") == 0;
}

static bool read_overflow(const char *given, char *value)
{
    strcpy(value, given);
    return strcmp(given, "fold") == 0 || strcmp(given, "drop") == 0 || strcmp(given, "overwrite") == 0;
}

static bool read_text(const char *given, char *value)
{
    strcpy(value, given);
    return true;
}

/* "1048576", "1024K", "1M", "1G" */
static bool read_size(const char *given, uint64_t *ret_size)
{
    char *end;
    if (*given < '0' || *given > '9')
        return false;
    unsigned long long size = strtoull(given, &end, 10);
    static const char units[] = "KkMmGg";
    const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
    unsigned shift = unit != NULL ? 10 * (1 + (unsigned)(unit - units) / 2) : 0;
    if (end[unit != NULL] != '\0' || size > UINT64_MAX >> shift || size == UINT64_MAX)
        return false;
    *ret_size = size << shift;
    return true;
}

static void write_size(uint64_t size, char *value)
{
    unsigned unit = 0;
    for (; unit < 3 && size >= 1024 && size % 1024 == 0; unit++)
        size /= 1024;
    snprintf(value, SETTING_TEXT, "%llu%.1s", (unsigned long long)size, &"\0KMG"[unit]);
}

static bool read_ring_bytes(const char *given, char *value)
{
    uint64_t size;
    if (!read_size(given, &size) || size < GBW_RING_BYTES_MIN || size > GBW_RING_BYTES_MAX || (size & (size - 1)) != 0)
        return false;
    write_size(size, value);
    return true;
}

static bool read_max_bytes(const char *given, char *value)
{
    uint64_t size;
    if (!read_size(given, &size) || size < GBW_RING_BYTES_MIN || size > 1ull << 40)
        return false;
    write_size(size, value);
    return true;
}

static void standard_directory(char *value)
{
    snprintf(value, SETTING_TEXT, "/dev/shm/gb-%u", (unsigned)geteuid());
}

static bool read_directory(const char *given, char *value)
{
    char here[PATH_LIMIT] = "";
    if (*given != '/' && (getcwd(here, sizeof(here) - 1) == NULL || *here != '/'))
        return false;
    size_t length = strlen(here) + (*given != '/') + strlen(given);
    if (length >= PATH_LIMIT)
        return false;
    snprintf(value, SETTING_TEXT, "%s%s%s", here, *given != '/' ? "/" : "", given);
    return true;
}

/* The smaller of 64 MiB and a quarter of what is free now where the segments will stand. */
static void standard_max_bytes(char *value)
{
    char directory[SETTING_TEXT];
    const char *given = getenv(PREFIX "_DIR");
    struct statfs status;
    standard_directory(directory);
    uint64_t most = 64u << 20;
    if ((given != NULL && *given != '\0' && statfs(given, &status) == 0) || statfs(directory, &status) == 0 ||
        statfs("/dev/shm", &status) == 0) {
        uint64_t quarter = (uint64_t)status.f_bavail * (uint64_t)status.f_bsize / 4;
        most = quarter < most ? quarter : most;
    }
    write_size(most, value);
}

static const struct rule rules[SETTINGS] = {
    {PREFIX, "1; anything else is off", "off", read_switch, NULL},
    {PREFIX "_STRICT_SCOPES", "1, 0", "0", read_flag, NULL},
    {PREFIX "_RAW_PREVIEW", "1, 0", "0", read_flag, NULL},
    {PREFIX "_DIR", "the path of a directory on a tmpfs, under 1024 bytes", NULL, read_directory, standard_directory},
    {PREFIX "_RING_BYTES", "a power of two from 16K to 1G, in bytes or with K, M or G", "1M", read_ring_bytes, NULL},
    {PREFIX "_MAX_BYTES", "16K to 1024G, in bytes or with K, M or G", NULL, read_max_bytes, standard_max_bytes},
    {PREFIX "_OVERFLOW", "fold, drop, overwrite", "fold", read_overflow, NULL},
    {PREFIX "_CLOCK", "auto, tsc, monotonic", "auto", read_clock, NULL},
    {PREFIX "_SERVICE", "any text", "(the program's name)", read_text, NULL},
    {PREFIX "_SECRETS", "words, separated by commas", "(the built-in ones)", read_text, NULL},
};

static void read_setting(const struct rule *rule, struct setting *to)
{
    const char *given = getenv(rule->name);
    *to = (struct setting){.name = rule->name, .accepted = rule->accepted, .source = "default"};
    if (rule->fallback != NULL)
        strcpy(to->fallback, rule->fallback);
    else
        rule->standard(to->fallback);
    strcpy(to->value, to->fallback);
    if (given == NULL || *given == '\0')
        return;
    to->given = given;
    to->source = "environment";
    char value[SETTING_TEXT], bounded[SETTING_TEXT];
    snprintf(bounded, sizeof(bounded), "%s", given); /* a path that is cut here is too long all the same */
    to->bad = !rule->read(bounded, value);
    if (to->bad)
        to->source = "default";
    else
        strcpy(to->value, value);
}

void settings_read(struct setting ret_settings[SETTINGS])
{
    for (size_t i = 0; i < SETTINGS; i++) {
        struct setting *setting = &ret_settings[i];
        read_setting(&rules[i], setting);
        const char *otel = getenv("OTEL_SERVICE_NAME");
        if (rules[i].read == read_text && strcmp(setting->name, PREFIX "_SERVICE") == 0 && setting->given == NULL &&
            otel != NULL && *otel != '\0') {
            snprintf(setting->value, sizeof(setting->value), "%s", otel);
            setting->source = "OTEL_SERVICE_NAME";
        }
    }
}

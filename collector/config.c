/* SPDX-License-Identifier: MIT */
/* See config.h: which file, its bytes, and the life of what was read. What stands in it is read in config_yaml.c. */
#include "collector/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/config_yaml.h"
#include "collector/option_value.h"
#include "collector/options.h"

#define FILE_NAME "gb/collector.yaml"
#define FILE_MAX (1u << 20)

int config_parse_deadline(const char *text, int64_t *ret_ns, char *error, size_t error_size)
{
    static const struct gb_option option = {.name = "flush_deadline", .type = GB_OPTION_DURATION};
    struct gb_option_value value = {0};
    snprintf(error, error_size, "it must be longer than nothing");
    if (option_value_parse(&option, text, &value, error, error_size) || value.number <= 0)
        return -EINVAL;
    *ret_ns = value.number;
    return 0;
}

/* The user's own, as the XDG base directories have it: NULL without a home. Negative: no memory. */
static int path_of_user(char **ret_path)
{
    const char *directory = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int length = 0;
    if (directory && *directory == '/')
        length = asprintf(&path, "%s/" FILE_NAME, directory);
    else if (home && *home == '/')
        length = asprintf(&path, "%s/.config/" FILE_NAME, home);
    *ret_path = length < 0 ? NULL : path;
    return length;
}

/* Which files may be the one: the given one alone, or the user's and the machine's. */
static int find_candidates(const char *path, char *ret_candidates[2])
{
    ret_candidates[0] = ret_candidates[1] = NULL;
    if (path)
        return (ret_candidates[0] = strdup(path)) ? 0 : -ENOMEM;
    if (path_of_user(&ret_candidates[0]) < 0 || !(ret_candidates[1] = strdup("/etc/" FILE_NAME))) {
        free(ret_candidates[0]);
        return -ENOMEM;
    }
    return 0;
}

/* All of a file, with a zero behind it. */
static int read_all(int fd, char **ret_text, size_t *ret_length)
{
    char *text = malloc(FILE_MAX + 1);
    size_t length = 0;
    ssize_t got = text ? 1 : -1;
    while (got > 0 && length <= FILE_MAX) {
        got = read(fd, text + length, FILE_MAX + 1 - length);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            length += (size_t)got;
    }
    if (got < 0 || length > FILE_MAX) {
        int error = got < 0 ? -errno : -EFBIG;
        free(text);
        return error;
    }
    *ret_text = text;
    *ret_length = length;
    return 0;
}

/* Takes over `path`. */
static int read_file(char *path, int fd, struct config *config, char *error)
{
    char *text = NULL;
    size_t length = 0;
    config->path = path;
    int result = read_all(fd, &text, &length);
    close(fd);
    if (result == -EFBIG)
        snprintf(error, CONFIG_ERROR, "%s is larger than 1 MiB", path);
    else if (result)
        snprintf(error, CONFIG_ERROR, "cannot read %s: %s", path, strerror(-result));
    else
        result = config_read_yaml(text, length, config, error);
    if (!result && reporter_specs_name(config->reporters, config->reporter_count, error, CONFIG_ERROR)) {
        char why[CONFIG_ERROR / 2];
        snprintf(why, sizeof(why), "%s", error);
        snprintf(error, CONFIG_ERROR, "%s: %s", path, why);
        result = -EINVAL;
    }
    free(text);
    if (result)
        config_clear(config);
    return result;
}

int config_read(const char *path, struct config *ret_config, char *error)
{
    char *candidates[2], *chosen = NULL;
    int fd = -1, result = find_candidates(path, candidates);
    memset(ret_config, 0, sizeof(*ret_config));
    if (result) {
        snprintf(error, CONFIG_ERROR, "cannot look for the configuration: no memory");
        return result;
    }
    for (int i = 0; i < 2; i++) {
        if (!candidates[i])
            continue;
        fd = open(candidates[i], O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0 && !path && (errno == ENOENT || errno == ENOTDIR))
            continue;
        chosen = candidates[i];
        candidates[i] = NULL;
        if (fd < 0) {
            result = -errno;
            snprintf(error, CONFIG_ERROR, "cannot read %s: %s (--config /dev/null does without a file)", chosen,
                     strerror(errno));
        }
        break;
    }
    free(candidates[0]);
    free(candidates[1]);
    if (fd >= 0)
        return read_file(chosen, fd, ret_config, error);
    free(chosen);
    return result;
}

void config_clear(struct config *config)
{
    for (unsigned i = 0; i < config->reporter_count; i++)
        reporter_spec_clear(&config->reporters[i]);
    free(config->path);
    free(config->directory);
    memset(config, 0, sizeof(*config));
}

/* SPDX-License-Identifier: MIT */
/* See config_value.h. */
#include "collector/config_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/memory_stream.h"

/* After "$": writes what it stands for, and returns what follows; NULL: `why` says why not. */
static const char *expand_one(FILE *out, const char *at, bool *from_environment, char *why, size_t why_size)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    if (*at == '$') {
        fputc('$', out);
        return at + 1;
    }
    size_t length = *at == '{' ? strspn(at + 1, letters) : 0;
    if (length == 0 || at[1 + length] != '}' || (at[1] >= '0' && at[1] <= '9')) {
        snprintf(why, why_size,
                 "a $ that stands for nothing: accepted are ${NAME}, a variable of the environment, and $$, "
                 "a dollar");
        return NULL;
    }
    char *name = strndup(at + 1, length);
    const char *value = name ? getenv(name) : NULL;
    if (value)
        fputs(value, out);
    else if (!name)
        snprintf(why, why_size, "no memory");
    else
        snprintf(why, why_size, "${%.*s} is not set in the environment ($$ is accepted for a dollar)", (int)length,
                 at + 1);
    free(name);
    *from_environment = true;
    return value ? at + length + 2 : NULL;
}

int config_expand(const char *text, char **ret_text, bool *ret_from_environment, char *why, size_t why_size)
{
    struct memory_stream stream;
    FILE *out = memory_stream_open(&stream);
    *ret_from_environment = false;
    if (!out) {
        snprintf(why, why_size, "no memory");
        return -ENOMEM;
    }
    while (text && *text) {
        size_t plain = strcspn(text, "$");
        fwrite(text, 1, plain, out);
        text += plain;
        if (*text)
            text = expand_one(out, text + 1, ret_from_environment, why, why_size);
    }
    char *expanded = memory_stream_close(&stream, out);
    if (text && expanded) {
        *ret_text = expanded;
        return 0;
    }
    free(expanded);
    if (text)
        snprintf(why, why_size, "no memory");
    return text ? -ENOMEM : -EINVAL;
}

static bool has_word(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcasestr(text, *words))
            return true;
    return false;
}

bool config_is_secret(const char *key, const char *value)
{
    static const char *const words[] = {"token",      "passw",  "secret",  "header", "authorization",
                                        "credential", "cookie", "api_key", "apikey", NULL};
    const char *host = value ? strstr(value, "://") : NULL;
    return has_word(key, words) || (host && host[3 + strcspn(host + 3, "/@")] == '@');
}

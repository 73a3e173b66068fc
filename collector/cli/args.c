/* SPDX-License-Identifier: MIT */
/* Command lines: see args.h. getopt_long does the parsing, from tables made of the rows. */
#include "collector/cli/args.h"

#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/wrap.h"

#define OPTIONS_MAX 24
#define HELP_COLUMN 28u
#define LONG_ONLY 1000 /* getopt's value of row i without a letter: LONG_ONLY + i */
#define HELP 900
#define VERSION 901

void args_begin(struct args *args, const struct args_command *command, int argc, char **argv)
{
    *args = (struct args){.command = command, .argc = argc, .argv = argv};
    optind = 0; /* getopt begins anew */
    opterr = 0;
}

static size_t count_options(const struct args_command *command)
{
    size_t count = 0;
    while (count < OPTIONS_MAX && command->options[count].name != NULL)
        count++;
    return count;
}

/* Rows as getopt_long wants them. */
static void make_tables(const struct args_command *command, struct option *options, char *letters)
{
    size_t count = count_options(command);
    char *letter = letters;
    *letter++ = command->takes_command ? '+' : '-'; /* '-': words between options are told at once, as value 1 */
    *letter++ = ':';                                /* a missing value is told apart from an unknown option */
    *letter++ = 'h';
    for (size_t i = 0; i < count; i++) {
        const struct args_option *row = &command->options[i];
        options[i] = (struct option){row->name, row->value != NULL ? required_argument : no_argument, NULL,
                                     row->letter != 0 ? row->letter : LONG_ONLY + (int)i};
        if (row->letter != 0)
            *letter++ = row->letter;
        if (row->letter != 0 && row->value != NULL)
            *letter++ = ':';
    }
    options[count] = (struct option){"help", no_argument, NULL, HELP};
    options[count + 1] = (struct option){"version", no_argument, NULL, VERSION};
    options[count + 2] = (struct option){NULL, 0, NULL, 0};
    *letter = '\0';
}

static void say_accepted(const struct args_command *command)
{
    char list[1024] = "accepted: ";
    size_t used = strlen(list);
    for (const struct args_option *row = command->options; row->name != NULL && used < sizeof(list) - 64; row++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "--%s%s%s, ", row->name,
                                 row->value != NULL ? " " : "", row->value != NULL ? row->value : "");
    snprintf(list + used, sizeof(list) - used, "--help, --version");
    wrap_text(stderr, list, 0, 0);
}

static int wrong(const struct args *args, const char *what, const char *word)
{
    const char *names[OPTIONS_MAX + 2];
    size_t count = count_options(args->command);
    for (size_t i = 0; i < count; i++)
        names[i] = args->command->options[i].name;
    names[count++] = "help";
    names[count++] = "version";
    const char *near = strncmp(word, "--", 2) == 0 ? args_nearest(word + 2, names, count) : NULL;
    fprintf(stderr, "%s: %s: %s", args->command->program, what, word);
    if (near != NULL)
        fprintf(stderr, "; did you mean --%s?", near);
    fputc('\n', stderr);
    say_accepted(args->command);
    return ARGS_WRONG;
}

/* The word of argv that getopt has just refused. */
static const char *refused_word(const struct args *args, char into[3])
{
    if (optopt > 0 && optopt < 256) {
        snprintf(into, 3, "-%c", optopt);
        return into;
    }
    return optind > 0 && optind <= args->argc ? args->argv[optind - 1] : "";
}

int args_next(struct args *args, const char **ret_value)
{
    struct option options[OPTIONS_MAX + 3];
    char letters[3 * OPTIONS_MAX + 8], word[3];
    make_tables(args->command, options, letters);
    int found = getopt_long(args->argc, args->argv, letters, options, NULL);
    args->next = optind;
    *ret_value = optarg;
    switch (found) {
    case -1:
        return ARGS_END;
    case 1:
        fprintf(stderr, "%s: %s is not an option, and nothing else is taken\n", args->command->program, optarg);
        return ARGS_WRONG;
    case HELP:
    case 'h':
        args_help(args->command, stdout);
        return ARGS_HELPED;
    case VERSION:
        args_version(args->command->program);
        return ARGS_HELPED;
    case ':':
        return wrong(args, "a value is missing after", refused_word(args, word));
    case '?':
        return wrong(args, "unknown option", refused_word(args, word));
    default:
        break;
    }
    for (int i = 0; args->command->options[i].name != NULL; i++)
        if (found == LONG_ONLY + i || found == args->command->options[i].letter)
            return i;
    return ARGS_WRONG;
}

bool args_nothing_left(const struct args *args)
{
    if (args->next >= args->argc)
        return true;
    fprintf(stderr, "%s: %s is not an option, and nothing else is taken\n", args->command->program,
            args->argv[args->next]);
    return false;
}

static void help_row(FILE *out, char letter, const char *name, const char *value, const char *help)
{
    char head[80];
    char short_form[6] = "    ";
    if (letter != 0)
        snprintf(short_form, sizeof(short_form), "-%c, ", letter);
    int used = snprintf(head, sizeof(head), "  %s--%s%s%s", short_form, name, value != NULL ? " " : "",
                        value != NULL ? value : "");
    fputs(head, out);
    if (used >= (int)HELP_COLUMN - 1) {
        fputc('\n', out);
        used = 0;
    }
    wrap_text(out, help, HELP_COLUMN, (unsigned)used);
}

void args_help(const struct args_command *command, FILE *out)
{
    fprintf(out, "usage: %s %s\n\n", command->program, command->synopsis);
    wrap_text(out, command->about, 0, 0);
    fputc('\n', out);
    for (const struct args_option *row = command->options; row->name != NULL; row++)
        help_row(out, row->letter, row->name, row->value, row->help);
    help_row(out, 'h', "help", NULL, "write this");
    help_row(out, 0, "version", NULL, "write the version");
}

void args_version(const char *program)
{
    printf("%.*s (gb-telemetry) %s\n", (int)strcspn(program, " "), program, GB_VERSION);
}

/* How many letters must be changed, added, left out or swapped: Damerau's distance, of short words. */
static size_t distance(const char *a, const char *b)
{
    enum { MOST = 31 };
    size_t lengths[2] = {strlen(a), strlen(b)};
    unsigned char row[MOST + 1][MOST + 1];
    if (lengths[0] > MOST || lengths[1] > MOST)
        return MOST;
    for (size_t i = 0; i <= lengths[0]; i++)
        for (size_t k = 0; k <= lengths[1]; k++) {
            unsigned best = i == 0 ? (unsigned)k : k == 0 ? (unsigned)i : UINT16_MAX;
            if (i > 0 && k > 0) {
                best = row[i - 1][k - 1] + (a[i - 1] != b[k - 1] ? 1u : 0u);
                best = row[i - 1][k] + 1u < best ? row[i - 1][k] + 1u : best;
                best = row[i][k - 1] + 1u < best ? row[i][k - 1] + 1u : best;
                if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] && row[i - 2][k - 2] + 1u < best)
                    best = row[i - 2][k - 2] + 1u;
            }
            row[i][k] = (unsigned char)best;
        }
    return row[lengths[0]][lengths[1]];
}

const char *args_nearest(const char *word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t least = strlen(word) < 4 ? 2 : 3;
    for (size_t i = 0; i < count; i++) {
        size_t away = distance(word, words[i]);
        if (away < least && away < strlen(words[i])) {
            least = away;
            nearest = words[i];
        }
    }
    return nearest;
}

/* SPDX-License-Identifier: MIT */
/* Cells and paragraphs: see summary_table.h. On the reporter's thread. */
#include "collector/reporters/summary_table.h"

#include "collector/reporters/summary_format.h"

struct table_look table_look_of(unsigned columns, bool colour)
{
    struct table_look look = {columns, "", "", "", ""};
    if (columns < TABLE_COLUMNS_MIN)
        look.columns = TABLE_COLUMNS_MIN;
    if (columns > TABLE_COLUMNS_MAX)
        look.columns = TABLE_COLUMNS_MAX;
    if (colour) {
        look.bold = "\033[1m";
        look.dim = "\033[2m";
        look.red = "\033[31m";
        look.off = "\033[0m";
    }
    return look;
}

void table_cell(FILE *out, const struct table_look *look, unsigned gap, unsigned width, const char *text,
                const char *style)
{
    fprintf(out, "%*s%s", (int)gap, "", style);
    format_fit(out, text, width, true);
    if (*style != '\0')
        fputs(look->off, out);
}

void paragraph_say(struct paragraph *to, const char *style, const char *phrase)
{
    unsigned length = (unsigned)format_columns(phrase);
    const unsigned indent = TABLE_TITLE - 1;
    if (to->used == 0) {
        fprintf(to->out, "%s%-*s%s", to->look->bold, (int)indent, to->title, to->look->off);
        to->used = indent;
    } else if (to->used > indent && to->used + 1 + length > to->look->columns) {
        fprintf(to->out, "\n%*s", (int)indent, "");
        to->used = indent;
    }
    fprintf(to->out, " %s", style);
    format_fit(to->out, phrase, length, false);
    if (*style != '\0')
        fputs(to->look->off, to->out);
    to->used += 1 + length;
}

void paragraph_count(struct paragraph *to, const char *style, uint64_t count, const char *what)
{
    char number[FORMAT_MAX], phrase[FORMAT_MAX + 80];
    snprintf(phrase, sizeof(phrase), "%s %s", format_whole(number, (__int128)count), what);
    paragraph_say(to, style, phrase);
}

void paragraph_end(struct paragraph *to)
{
    if (to->used > 0)
        fputc('\n', to->out);
    to->used = 0;
}

/* SPDX-License-Identifier: MIT */
/* See wrap.h. */
#include "collector/wrap.h"

#include <stdbool.h>
#include <string.h>

void wrap_text(FILE *out, const char *text, unsigned indent, unsigned column)
{
    fprintf(out, "%*s", column < indent ? (int)(indent - column) : 0, "");
    unsigned at = column < indent ? indent : column;
    bool begun = false;
    while (*text != '\0') {
        if (strncmp(text, "\n\n", 2) == 0) {
            fprintf(out, "\n\n%*s", (int)indent, "");
            at = indent;
            begun = false;
        }
        text += strspn(text, " \n");
        unsigned length = (unsigned)strcspn(text, " \n");
        if (length == 0)
            break;
        if (begun && at + 1 + length > WRAP_COLUMNS) {
            fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
            begun = false;
        }
        fprintf(out, "%s%.*s", begun ? " " : "", (int)length, text);
        at += length + begun;
        begun = true;
        text += length;
    }
    fputc('\n', out);
}

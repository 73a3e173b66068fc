/* SPDX-License-Identifier: MIT */
/*
 * The typography of `summary`: cells, headings, paragraphs. In: phrases and numbers as text. Out: lines that fit a
 * width. Colours are escape sequences, or empty strings where there is no colour.
 */
#ifndef GB_COLLECTOR_REPORTERS_SUMMARY_TABLE_H
#define GB_COLLECTOR_REPORTERS_SUMMARY_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TABLE_COLUMNS_MIN 40u
#define TABLE_COLUMNS_MAX 160u
#define TABLE_TITLE 9u /* columns of a paragraph's title, with the blank after it */

struct table_look {
    unsigned columns;
    const char *bold, *dim, *red, *off;
};

struct table_look table_look_of(unsigned columns, bool colour);

/* Right-aligned in `width` columns after `gap` blanks; coloured when `style` is not empty. */
void table_cell(FILE *out, const struct table_look *look, unsigned gap, unsigned width, const char *text,
                const char *style);

/* Phrases that break between them; the lines after the first are indented. Nothing is written before the first phrase. */
struct paragraph {
    FILE *out;
    const struct table_look *look;
    const char *title;
    unsigned used; /* columns of this line; 0: nothing written yet */
};
void paragraph_say(struct paragraph *to, const char *style, const char *phrase);
void paragraph_count(struct paragraph *to, const char *style, uint64_t count, const char *what);
void paragraph_end(struct paragraph *to);

#endif

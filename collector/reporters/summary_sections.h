/* SPDX-License-Identifier: MIT */
/*
 * The sections of a summary's text, each in a file of its own. In: a report. Out: whole lines, or nothing when there is
 * nothing to say. `rows`: how many it may have, heading and remarks not counted. 0 or -errno.
 */
#ifndef GB_COLLECTOR_REPORTERS_SUMMARY_SECTIONS_H
#define GB_COLLECTOR_REPORTERS_SUMMARY_SECTIONS_H

#include "collector/reporters/summary.h"
#include "collector/reporters/summary_table.h"

int summary_write_tree(const struct tally *tally, const struct table_look *look, uint32_t rows, FILE *out);
int summary_write_metrics(const struct summary_report *report, const struct table_look *look, uint32_t rows, FILE *out);
int summary_write_workers(const struct summary_report *report, const struct table_look *look, uint32_t rows, FILE *out);
int summary_write_ledger(const struct summary_report *report, const struct table_look *look, FILE *out);

#endif

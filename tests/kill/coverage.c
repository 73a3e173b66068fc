/* SPDX-License-Identifier: MIT */
/* Distinct instructions stopped at: a set of addresses, relative to the beginning of the file that they were mapped from. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kill/step.h"

#define PLACES (1u << 18) /* far more than there are */
#define RANGES 64u

static uint64_t places[PLACES];
static uint64_t counts[2];

static struct range {
    uint64_t from, to, offset;
    uint32_t file; /* of its name */
    bool own;
} ranges[RANGES];
static unsigned range_count;
static pid_t ranges_of;

static void read_ranges(pid_t pid, const char *program)
{
    char path[64], line[512];
    unsigned long from, to, offset;
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    range_count = 0;
    ranges_of = pid;
    while (maps && range_count < RANGES && fgets(line, sizeof line, maps)) {
        int name = 0;
        if (sscanf(line, "%lx-%lx %*2cx%*c %lx %*s %*s %n", &from, &to, &offset, &name) != 3)
            continue; /* not executable */
        struct range *range = &ranges[range_count++];
        *range = (struct range){.from = from, .to = to, .offset = offset, .own = strstr(line, program) != NULL};
        for (const char *at = line + name; *at; at++)
            range->file = range->file * 31 + (uint8_t)*at;
    }
    if (maps)
        fclose(maps);
}

static const struct range *find(uint64_t address)
{
    for (unsigned i = 0; i < range_count; i++)
        if (address >= ranges[i].from && address < ranges[i].to)
            return &ranges[i];
    return NULL;
}

void coverage_add(pid_t pid, const char *program, uint64_t address)
{
    const struct range *range = pid == ranges_of ? find(address) : NULL;
    if (!range) {
        read_ranges(pid, program);
        range = find(address);
    }
    if (!range)
        return;
    uint64_t key = (uint64_t)range->file << 32 | (uint32_t)(address - range->from + range->offset);
    uint64_t at = key * 0x9e3779b97f4a7c15ull >> 46;
    while (places[at] && places[at] != key)
        at = (at + 1) % PLACES;
    if (places[at])
        return;
    if (counts[0] + counts[1] > PLACES / 2) {
        fprintf(stderr, "more than %u distinct instructions\n", PLACES / 2);
        exit(1);
    }
    places[at] = key;
    counts[range->own]++;
}

void coverage_count(uint64_t *ret_program, uint64_t *ret_elsewhere)
{
    *ret_program = counts[1];
    *ret_elsewhere = counts[0];
}

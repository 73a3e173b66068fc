/* SPDX-License-Identifier: MIT */
/* process_*: what every client of Prometheus tells of its process. In: /proc. Out: families on a page. The HTTP thread. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "collector/reporters/prometheus_own.h"

enum { CPU, START, RESIDENT, VIRTUAL, OPEN_FDS, MAX_FDS };

const struct prometheus_head prometheus_process_heads[] = {
    [CPU] = {"process_cpu_seconds", "User and system time that the collector has used.", PROMETHEUS_COUNTER},
    [START] = {"process_start_time_seconds", "When the collector started, since 1970.", PROMETHEUS_GAUGE},
    [RESIDENT] = {"process_resident_memory_bytes", "Memory of the collector that is in use.", PROMETHEUS_GAUGE},
    [VIRTUAL] = {"process_virtual_memory_bytes", "Addresses that the collector uses.", PROMETHEUS_GAUGE},
    [OPEN_FDS] = {"process_open_fds", "Open file descriptors of the collector.", PROMETHEUS_GAUGE},
    [MAX_FDS] = {"process_max_fds", "How many there may be.", PROMETHEUS_GAUGE},
    {NULL},
};

static void put(struct prometheus_page *page, unsigned which, double value)
{
    prometheus_page_begin(page, &prometheus_process_heads[which]);
    prometheus_page_real(page, &prometheus_process_heads[which], NULL, 0, value);
    prometheus_page_end(page, &prometheus_process_heads[which]);
}

/* Since Linux 6.2 the directory's size; it can be asked for also where it cannot be opened, in a process that may not be dumped. */
static double open_fds(void)
{
    struct stat status;
    unsigned count = 0;
    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0)
        return (double)status.st_size;
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count - 1; /* less the directory itself */
}

/* Ticks since the machine's start as seconds since 1970. */
static double wall_of(double ticks)
{
    struct timespec wall, boot;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    double booted = (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9;
    return booted + ticks / (double)sysconf(_SC_CLK_TCK);
}

/* Fields of /proc/self/stat, as its manual page counts them. */
static bool read_stat(double *ret_start_ticks, double *ret_virtual, double *ret_resident_pages)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t length = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[length] = '\0';
    char *at = strrchr(text, ')'); /* the name before may hold anything */
    if (at == NULL)
        return false;
    char *saved, *field = strtok_r(at + 1, " ", &saved);
    for (unsigned number = 3; field != NULL; number++, field = strtok_r(NULL, " ", &saved)) {
        if (number == 22)
            *ret_start_ticks = strtod(field, NULL);
        else if (number == 23)
            *ret_virtual = strtod(field, NULL);
        else if (number == 24) {
            *ret_resident_pages = strtod(field, NULL);
            return true;
        }
    }
    return false;
}

double prometheus_process_start(void)
{
    double start_ticks, virtual, resident_pages;
    return read_stat(&start_ticks, &virtual, &resident_pages) ? wall_of(start_ticks) : 0;
}

void prometheus_process_write(struct prometheus_page *page, double start)
{
    struct timespec cpu;
    struct rlimit limit;
    double start_ticks, virtual, resident_pages;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        put(page, CPU, (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    put(page, START, start);
    if (read_stat(&start_ticks, &virtual, &resident_pages)) {
        put(page, RESIDENT, resident_pages * (double)sysconf(_SC_PAGESIZE));
        put(page, VIRTUAL, virtual);
    }
    put(page, OPEN_FDS, open_fds());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        put(page, MAX_FDS, (double)limit.rlim_cur);
}

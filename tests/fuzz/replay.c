/* SPDX-License-Identifier: MIT */
/* A fuzz target without a fuzzer: every file of the directories that are named is an input, once; says how many there were. */
#include <dirent.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

static void run_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    uint8_t *data = NULL;
    size_t size = 0, capacity = 0;
    for (;;) {
        if (size == capacity) {
            capacity = 2 * capacity + 4096;
            data = realloc(data, capacity);
            CHECK(data);
        }
        size_t got = fread(data + size, 1, capacity - size, file);
        if (!got)
            break;
        size += got;
    }
    fclose(file);
    uint8_t *exact = malloc(size ? size : 1); /* so that a read behind the end is seen */
    CHECK(exact);
    memcpy(exact, data, size);
    free(data);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *directory = opendir(argv[i]);
        if (!directory) {
            perror(argv[i]);
            return 1;
        }
        for (const struct dirent *entry; (entry = readdir(directory));) {
            char path[4096];
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            run_file(path);
            count++;
        }
        closedir(directory);
    }
    printf("%u inputs\n", count);
    return count ? 0 : 1;
}

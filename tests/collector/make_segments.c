/* SPDX-License-Identifier: MIT */
/* For scripts: leaves segments of dead workers behind. make_segments DIRECTORY SEGMENTS EVENTS */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/collector/fake_segment.h"

int main(int argc, char **argv)
{
    int directory = argc == 4 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (directory < 0) {
        fprintf(stderr, "usage: make_segments DIRECTORY SEGMENTS EVENTS\n");
        return 2;
    }
    for (int i = 0; i < atoi(argv[2]); i++) {
        struct fake_segment *fake = fake_segment_make(directory, NULL);
        uint32_t path = fake_path(fake, GBW_ROOT, "step");
        fake_lease(fake, fake_ring_add(fake, 1u << 14, 0), 1, (uint32_t)getpid(), "main");
        for (int j = 0; j < atoi(argv[3]); j++)
            fake_timing(fake, 0, path, fake_now(), 10, (uint32_t)j + 1);
        fake_segment_free(fake);
    }
    close(directory);
    return 0;
}

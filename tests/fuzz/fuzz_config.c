/* SPDX-License-Identifier: MIT */
/* The configuration file. Must hold: a configuration, or one sentence that begins with file:line:column. Files named *.so are left out. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector/config.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    char path[64], error[CONFIG_ERROR] = "";
    struct config config;
    if (memmem(data, size, ".so", 3) || memchr(data, '/', size))
        return 0;
    if (fd < 0)
        fd = memfd_create("configuration", MFD_CLOEXEC);
    CHECK(fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int result = config_read(path, &config, error);
    CHECK(!result || error[0]);
    CHECK(!result || !strncmp(error, path, strlen(path)));
    config_clear(&config);
    return 0;
}

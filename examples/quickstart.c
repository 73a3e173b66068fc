/* SPDX-License-Identifier: MIT */
#include <gb/telemetry.h>
#include <stdio.h>
#include <unistd.h>

static double load(int batch)
{
    GB_SCOPE_HERE("load", GB_KV("batch", batch)); /* until this function returns */
    usleep(1000);
    return batch * 0.1;
}

int main(void)
{
    double sum = 0;
    for (int batch = 0; batch < 100; batch++) {
        GB_SCOPE ("batch", GB_KV("size", 16)) { /* until this block is left */
            double value = load(batch);
            GB_SCOPE ("score")
                sum += value;
            GB_COUNT("items", 16);
            GB_GAUGE("fill", value / 10);
        }
    }
    printf("sum %.1f\n", sum);
    return 0;
}

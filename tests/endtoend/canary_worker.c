/* SPDX-License-Identifier: MIT */
/*
 * A worker with secrets, in every way in which attributes can be given. usage: canary_worker SECRET FILE. When FILE is there it ends by
 * SIGKILL, inside two scopes that hold the secret as well.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <gb/telemetry.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *secret = argv[1];
    char around[200];
    snprintf(around, sizeof(around), "Bearer %s and some more text, so that it needs slots of its own", secret);
    for (int i = 0; i < 100; i++) {
        GB_SCOPE ("job", GB_KV("marker", "VISIBLE"), GB_KV("api_key", secret), GB_KV("Authorization", around),
                  GB_KV("clientSecret", secret), GB_KV("n", i)) {
            GB_ATTR("password", secret);
            GB_ATTR("session.cookie", around);
            GB_COUNT("items", 1, GB_KV("marker", "VISIBLE"), GB_KV("token", secret), GB_KV("my_own_word", secret));
            GB_GAUGE("level", i, GB_KV("access_key", secret));
            GB_METRIC("wait", i, GB_KV("private_key", around));
        }
        struct gb_span span = GB_BEGIN("detached", GB_KV("jwt", secret));
        gb_end(&span);
    }
    GB_SCOPE ("outer", GB_KV("marker", "VISIBLE"), GB_KV("a", 1), GB_KV("b", 2), GB_KV("c", 3),
              GB_KV("passwd", around)) {
        GB_SCOPE ("inner", GB_KV("credentials", secret)) {
            while (access(argv[2], F_OK))
                usleep(10000);
            raise(SIGKILL);
        }
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * What `otlp` talks to and reads. In: its options and the environment, libcurl's proxies among it. Out: calls of struct gb_reach. A
 * URL that nobody can read is passed over: open refuses it.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/otlp_settings.h"

/* Without a port of its own it has its scheme's; a proxy's is then 1080, as libcurl has it. */
static void reach_url(const char *text, bool proxy, const struct gb_reach *reach)
{
    char *port = NULL;
    CURLU *url = curl_url();
    if (url != NULL && curl_url_set(url, CURLUPART_URL, text, CURLU_GUESS_SCHEME) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_PORT, &port, proxy ? 0 : CURLU_DEFAULT_PORT) == CURLUE_OK)
        reach->connects(reach->collector, (unsigned)strtoul(port, NULL, 10));
    else if (proxy)
        reach->connects(reach->collector, 1080);
    curl_free(port);
    curl_url_cleanup(url);
}

static void reach_proxies(const struct gb_reach *reach)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *proxy = getenv(names[i]);
        if (proxy != NULL && *proxy != '\0')
            reach_url(proxy, true, reach);
    }
}

void otlp_reach(const struct gb_option_value *options, const struct gb_reach *reach)
{
    static const struct {
        enum otlp_option option;
        const char *what;
    } files[] = {{OTLP_OPTION_CA, "CERTIFICATE"},
                 {OTLP_OPTION_CERTIFICATE, "CLIENT_CERTIFICATE"},
                 {OTLP_OPTION_KEY, "CLIENT_KEY"}};
    for (enum otlp_signal signal = OTLP_METRICS; signal < OTLP_SIGNALS; signal++) {
        bool whole;
        reach_url(otlp_endpoint(options, signal, &whole), false, reach);
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
            const char *file = otlp_file(options, signal, files[i].option, files[i].what);
            if (file != NULL)
                reach->reads(reach->collector, file);
        }
    }
    reach_proxies(reach);
}

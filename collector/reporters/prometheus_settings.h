/* SPDX-License-Identifier: MIT */
/* What the user said of the exposition. In: the texts of options. Out: struct prometheus_settings, or a sentence. Control thread. */
#ifndef GB_REPORTERS_PROMETHEUS_SETTINGS_H
#define GB_REPORTERS_PROMETHEUS_SETTINGS_H

#include "collector/reporters/prometheus_routes.h"

struct prometheus_texts {
    const char *prefix, *labels, *buckets, *sample_buckets; /* labels: may be NULL */
    int64_t max_series;
};

/* -EINVAL or -ENOMEM with a sentence in `error`. The prefix is not copied. */
int prometheus_settings_read(struct prometheus_settings *settings, const struct prometheus_texts *texts, char *error,
                             size_t error_size);
void prometheus_settings_free(struct prometheus_settings *settings);

#endif

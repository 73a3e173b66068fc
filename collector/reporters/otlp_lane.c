/* SPDX-License-Identifier: MIT */
/* See otlp_lane.h. */
#include "collector/reporters/otlp_lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/gzip.h"
#include "collector/reporters/otlp_answer.h"

/* What is longer is left; a status has been read by then, and ending the transfer does not change it. */
static size_t take_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct otlp_lane *lane = context;
    size_t length = size * count, room = OTLP_ANSWER_MAX - lane->answer_length;
    size_t taken = length < room ? length : room;
    memcpy(lane->answer + lane->answer_length, bytes, taken);
    lane->answer_length += taken;
    return taken;
}

static void set_tls(CURL *easy, const struct otlp_target *target)
{
    if (target->ca != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, target->ca);
    if (target->certificate != NULL)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, target->certificate);
    if (target->key != NULL)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, target->key);
}

int otlp_lane_make(const struct otlp_target *target, struct otlp_lane *lane)
{
    lane->target = target;
    lane->answer = malloc(OTLP_ANSWER_MAX);
    CURL *easy = lane->easy = curl_easy_init();
    if (easy == NULL || lane->answer == NULL)
        return -ENOMEM;
    long timeout_ms = (long)(target->timeout_ns / 1000000);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_URL, target->url);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "gb-telemetry/" GB_VERSION);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, lane->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, lane);
    if (target->loopback)
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    set_tls(easy, target);
    return 0;
}

void otlp_lane_clear(struct otlp_lane *lane)
{
    curl_easy_cleanup(lane->easy);
    free(lane->answer);
}

static int pack(struct otlp_message *message)
{
    void *bytes;
    size_t length;
    int result = gzip_pack(message->body, message->length, &bytes, &length);
    if (result < 0)
        return result;
    free(message->body);
    message->body = bytes;
    message->length = length;
    message->packed = true;
    return 0;
}

int otlp_lane_start(struct otlp_lane *lane, CURLM *multi, struct otlp_message *message)
{
    if (lane->target->gzip && !message->packed) {
        int result = pack(message);
        if (result < 0)
            return result;
    }
    lane->answer_length = 0;
    lane->error[0] = '\0';
    message->attempts++;
    curl_easy_setopt(lane->easy, CURLOPT_HTTPHEADER, lane->target->headers);
    curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDS, message->body);
    curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)message->length);
    return curl_multi_add_handle(multi, lane->easy) == CURLM_OK ? 0 : -EIO;
}

static const char *cause_of_status(long status)
{
    switch (status) {
    case 400:
        return "http_400";
    case 413:
        return "http_413";
    case 429:
        return "http_429";
    case 502:
        return "http_502";
    case 503:
        return "http_503";
    case 504:
        return "http_504";
    default:
        return status >= 500 ? "http_5xx" : status >= 400 ? "http_4xx" : "http_other";
    }
}

static bool is_temporary(long status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static const char *cause_of_code(CURLcode code)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return "unreachable";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return "tls";
    default:
        return "connection_lost";
    }
}

static void judge_accepted(struct otlp_lane *lane, struct otlp_message *message)
{
    message->outcome = OTLP_ACCEPTED;
    message->cause = NULL;
    /* an answer that cannot be read changes nothing: the status says that it was taken */
    otlp_answer_partial(lane->answer, lane->answer_length, &message->rejected, message->why, sizeof(message->why));
    if (message->rejected > message->points)
        message->rejected = message->points;
}

bool otlp_lane_judge(struct otlp_lane *lane, CURLcode code, struct otlp_message *message, int64_t *ret_pause_ns)
{
    long status = 0;
    curl_off_t pause_s = 0;
    char text[sizeof(message->why) - 32];
    *ret_pause_ns = 0;
    curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) { /* also when its body is slow, endless or torn */
        judge_accepted(lane, message);
        return true;
    }
    if (status < 200) {
        message->cause = cause_of_code(code);
        message->outcome = OTLP_UNDELIVERED;
        snprintf(message->why, sizeof(message->why), "%.*s", (int)sizeof(text),
                 lane->error[0] != '\0' ? lane->error : curl_easy_strerror(code));
        return false;
    }
    otlp_answer_status(lane->answer, lane->answer_length, text, sizeof(text));
    snprintf(message->why, sizeof(message->why), "HTTP %ld%s%s", status, text[0] != '\0' ? ": " : "", text);
    message->cause = cause_of_status(status);
    bool temporary = is_temporary(status);
    message->outcome = temporary ? OTLP_UNDELIVERED : OTLP_REFUSED;
    if (temporary && curl_easy_getinfo(lane->easy, CURLINFO_RETRY_AFTER, &pause_s) == CURLE_OK && pause_s > 0)
        *ret_pause_ns = (pause_s < 86400 ? pause_s : 86400) * 1000000000;
    return !temporary;
}

/* SPDX-License-Identifier: MIT */
/*
 * See prometheus_http.h. libmicrohttpd's own timeout starts again with every byte, so connections are also kept in a table
 * here, and the reporter's tick cuts those that are over their time: shutdown() under the table's lock, which the server takes
 * before it closes a socket, so the descriptor is still that connection's.
 */
#include "collector/reporters/prometheus_http.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/now.h"
#include "collector/reporters/gzip.h"
#include "collector/reporters/prometheus_accept.h"

#define CROWDED (PROMETHEUS_CONNECTIONS * 3 / 4) /* from here on the oldest gives way */
#define IDLE_S 5                                 /* without a single byte */

struct connection {
    int fd; /* -1: free */
    int64_t since_ns;
    bool asked; /* its request is whole */
    bool cut;
};

struct prometheus_http {
    const struct gb_reporter_setup *setup;
    struct prometheus_own *own;
    struct MHD_Daemon *daemon;
    atomic_bool ready;
    _Atomic unsigned bodies;
    pthread_mutex_t lock;
    struct connection connections[PROMETHEUS_CONNECTIONS];
};

/* The lock is held. */
static void cut(struct prometheus_http *http, struct connection *connection)
{
    shutdown(connection->fd, SHUT_RDWR);
    connection->cut = true;
    atomic_fetch_add(&http->own->cut, 1);
}

/* The lock is held. */
static void make_way(struct prometheus_http *http)
{
    struct connection *oldest = NULL;
    for (unsigned i = 0; i < PROMETHEUS_CONNECTIONS; i++) {
        struct connection *connection = &http->connections[i];
        if (connection->fd >= 0 && !connection->asked && !connection->cut &&
            (oldest == NULL || connection->since_ns < oldest->since_ns))
            oldest = connection;
    }
    if (oldest != NULL)
        cut(http, oldest);
}

static void enter(struct prometheus_http *http, int fd, void **socket_context)
{
    unsigned count = 1;
    struct connection *empty = NULL;
    pthread_mutex_lock(&http->lock);
    for (unsigned i = 0; i < PROMETHEUS_CONNECTIONS; i++) {
        if (http->connections[i].fd < 0)
            empty = &http->connections[i];
        else
            count += !http->connections[i].cut;
    }
    if (count > CROWDED)
        make_way(http);
    if (empty != NULL)
        *empty = (struct connection){.fd = fd, .since_ns = clock_mono_now()};
    *socket_context = empty;
    pthread_mutex_unlock(&http->lock);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct prometheus_http *http = context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        atomic_fetch_add(&http->own->connections, 1);
        enter(http, info->connect_fd, socket_context);
    } else {
        struct connection *mine = *socket_context;
        atomic_fetch_sub(&http->own->connections, 1);
        pthread_mutex_lock(&http->lock);
        if (mine != NULL)
            mine->fd = -1;
        pthread_mutex_unlock(&http->lock);
    }
}

static enum MHD_Result answer(struct prometheus_http *http, struct MHD_Connection *connection,
                              enum prometheus_response which, struct MHD_Response *response, const char *type)
{
    static const unsigned codes[] = {
        [RESPONSE_200] = 200, [RESPONSE_404] = 404, [RESPONSE_405] = 405, [RESPONSE_503] = 503};
    if (response == NULL)
        return MHD_NO; /* closes the connection */
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (which == RESPONSE_405)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, codes[which], response);
    MHD_destroy_response(response);
    atomic_fetch_add(&http->own->responses[which], 1);
    return result;
}

static enum MHD_Result say_text(struct prometheus_http *http, struct MHD_Connection *connection,
                                enum prometheus_response which, const char *text)
{
    /* static text, which the server does not write to */
    return answer(http, connection, which,
                  MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT),
                  "text/plain; charset=utf-8");
}

/* An answer's bytes, and whose count of bodies they are in. */
struct body {
    struct prometheus_http *http;
    void *bytes;
};

static void body_free(void *context)
{
    struct body *body = context;
    atomic_fetch_sub(&body->http->bodies, 1);
    free(body->bytes);
    free(body);
}

static struct MHD_Response *body_response(struct prometheus_http *http, void *bytes, size_t length)
{
    struct body *body = malloc(sizeof(*body));
    if (body == NULL) {
        free(bytes);
        return NULL;
    }
    *body = (struct body){.http = http, .bytes = bytes};
    atomic_fetch_add(&http->bodies, 1);
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback_cls(length, bytes, body_free, body);
    if (response == NULL)
        body_free(body);
    return response;
}

static void count_scrape(struct prometheus_http *http, const struct prometheus_format *format)
{
    const struct prometheus_format *const formats[PROMETHEUS_FORMATS] = {&prometheus_text, &prometheus_openmetrics,
                                                                         &prometheus_protobuf};
    for (unsigned i = 0; i < PROMETHEUS_FORMATS; i++)
        if (format == formats[i])
            atomic_fetch_add(&http->own->scrapes[i], 1);
}

static enum MHD_Result serve_metrics(struct prometheus_http *http, struct MHD_Connection *connection)
{
    const struct prometheus_format *format =
        prometheus_accept(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
    bool gzip = prometheus_accepts_gzip(
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING));
    void *bytes, *packed;
    size_t length, packed_length;
    if (atomic_load(&http->bodies) >= PROMETHEUS_BODIES)
        return say_text(http, connection, RESPONSE_503, "Too many answers are under way.\n");
    count_scrape(http, format);
    if (prometheus_page_make(format, http->own->store, prometheus_own_write, http->own, &bytes, &length) < 0)
        return say_text(http, connection, RESPONSE_503, "There is no memory for an answer.\n");
    if (gzip && gzip_pack(bytes, length, &packed, &packed_length) == 0) {
        free(bytes);
        bytes = packed;
        length = packed_length;
    } else
        gzip = false;
    struct MHD_Response *response = body_response(http, bytes, length);
    if (response != NULL) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
        if (gzip)
            MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    }
    return answer(http, connection, RESPONSE_200, response, format->content_type);
}

static void note_asked(struct prometheus_http *http, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *mine = info != NULL ? info->socket_context : NULL;
    pthread_mutex_lock(&http->lock);
    if (mine != NULL)
        mine->asked = true;
    pthread_mutex_unlock(&http->lock);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request_context)
{
    struct prometheus_http *http = context;
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)request_context;
    note_asked(http, connection);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return say_text(http, connection, RESPONSE_405, "GET and HEAD are accepted.\n");
    if (strcmp(url, "/healthz") == 0)
        return say_text(http, connection, RESPONSE_200, "ok\n");
    bool ready = atomic_load_explicit(&http->ready, memory_order_acquire); /* pairs with the release in the tick */
    if (strcmp(url, "/readyz") == 0)
        return say_text(http, connection, ready ? RESPONSE_200 : RESPONSE_503, ready ? "ready\n" : "not yet\n");
    if (strcmp(url, "/metrics") == 0)
        return ready ? serve_metrics(http, connection) : say_text(http, connection, RESPONSE_503, "not yet\n");
    return say_text(http, connection, RESPONSE_404, "There are /metrics, /healthz and /readyz.\n");
}

/* Signals are for the collector's own thread. */
static struct MHD_Daemon *start_daemon(struct prometheus_http *http, int fd)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET, fd,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)PROMETHEUS_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                         (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)PROMETHEUS_HEADER_BYTES,
                         MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

int prometheus_http_start(const struct gb_reporter_setup *setup, const char *listen, struct prometheus_own *own,
                          struct prometheus_http **ret_http)
{
    char address[128], error[384];
    bool loopback;
    int fd, result = prometheus_listen(listen, &fd, address, sizeof(address), &loopback, error, sizeof(error));
    if (result < 0) {
        setup->say(setup->collector, "%s", error);
        return result;
    }
    struct prometheus_http *http = calloc(1, sizeof(*http));
    if (http == NULL) {
        close(fd);
        return -ENOMEM;
    }
    http->setup = setup;
    http->own = own;
    pthread_mutex_init(&http->lock, NULL);
    for (unsigned i = 0; i < PROMETHEUS_CONNECTIONS; i++)
        http->connections[i].fd = -1;
    errno = 0;
    http->daemon = start_daemon(http, fd);
    if (http->daemon == NULL) {
        result = errno != 0 ? -errno : -EIO;
        setup->say(setup->collector, "the HTTP server does not start: %s", strerror(-result));
        close(fd);
        prometheus_http_stop(http);
        return result;
    }
    setup->say(setup->collector, "http://%s/metrics%s", address,
               loopback ? "" : ": without a password, for all who reach this address");
    *ret_http = http;
    return 0;
}

void prometheus_http_tick(struct prometheus_http *http, int64_t now_ns)
{
    atomic_store_explicit(&http->ready, true, memory_order_release);
    pthread_mutex_lock(&http->lock);
    for (unsigned i = 0; i < PROMETHEUS_CONNECTIONS; i++) {
        struct connection *connection = &http->connections[i];
        int64_t patience = connection->asked ? PROMETHEUS_ANSWER_NS : PROMETHEUS_REQUEST_NS;
        if (connection->fd >= 0 && !connection->cut && now_ns - connection->since_ns > patience)
            cut(http, connection);
    }
    pthread_mutex_unlock(&http->lock);
}

void prometheus_http_stop(struct prometheus_http *http)
{
    if (http == NULL)
        return;
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

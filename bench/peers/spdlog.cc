// SPDX-License-Identifier: MIT
// spdlog's asynchronous logger: the caller formats, a thread of the same process writes. Its queue holds 8,192 messages and lets the
// oldest go when it is full, as it must when a worker is never to wait.
#include <memory>
#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>

#include "bench/peers/peer.h"

namespace
{

constexpr std::size_t queue_size = 8192;
std::shared_ptr<spdlog::details::thread_pool> pool;
std::shared_ptr<spdlog::async_logger> logger;

void emit(uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++) {
        uint64_t start = clock_now();
        PEER_WORK();
        uint64_t end = clock_now();
        logger->info("{{\"event\":\"timing\",\"scope\":\"{}\",\"start\":{:.9f},\"duration_s\":{:.9f},\"pid\":{}}}",
                     "item", static_cast<double>(start) * 1e-9, static_cast<double>(end - start) * 1e-9, 4711);
    }
}

const peer_variant variants[] = {
    {"spdlog_async", "spdlog, asynchronous, a line of JSON; its thread writes it to /dev/null", emit, 2048},
    {nullptr, nullptr, nullptr, 0}};

int open_peer(const char *, char *ret_error, unsigned room)
{
    try {
        pool = std::make_shared<spdlog::details::thread_pool>(queue_size, 1);
        auto sink = std::make_shared<spdlog::sinks::basic_file_sink_st>("/dev/null");
        logger =
            std::make_shared<spdlog::async_logger>("item", sink, pool, spdlog::async_overflow_policy::overrun_oldest);
        logger->set_pattern("%v");
        return 0;
    } catch (const std::exception &error) {
        snprintf(ret_error, room, "%s", error.what());
        return -1;
    }
}

void settle()
{
    while (pool->queue_size())
        peer_nap();
}

uint64_t lost()
{
    return pool->overrun_counter();
}

void close_peer()
{
    logger.reset();
    pool.reset();
}

const peer spdlog_peer = {variants, open_peer, settle, lost, 0, close_peer};

} // namespace

int main(int argc, char **argv)
{
    return peer_main(&spdlog_peer, argc, argv);
}

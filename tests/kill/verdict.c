/* SPDX-License-Identifier: MIT */
/* See verdict.h. */
#include "tests/kill/verdict.h"

#include <stdatomic.h>
#include <string.h>

#include "gb/wire.h"
#include "tests/kill/tally.h"

static void object(struct verdict *verdict, const char *what)
{
    if (!verdict->wrong)
        verdict->wrong = what;
}

static const struct gb_event_attr *find(const struct gb_event *event, const char *key)
{
    for (unsigned i = 0; i < event->attr_count; i++)
        if (!strcmp(event->attrs[i].key->text, key))
            return &event->attrs[i];
    return NULL;
}

static uint64_t number(const struct gb_event_attr *attr)
{
    return attr->value.type == GB_VALUE_INT ? (uint64_t)attr->value.as.i : attr->value.as.u;
}

/* I5 */
static void check_text(struct verdict *verdict, const struct gb_event_attr *attr, uint64_t n)
{
    bool whole = attr->value.type == GB_VALUE_TEXT && attr->value.length == TEXT_LENGTH;
    for (unsigned i = 0; whole && i < TEXT_LENGTH; i++)
        whole = attr->value.as.text[i] == payload_byte(n, i);
    if (!whole)
        object(verdict, "I5: a text is torn");
}

static void check_payload(struct verdict *verdict, const struct gb_event *event, uint64_t n)
{
    const struct gb_event_attr *check = find(event, "check"), *text = find(event, "text"), *more = find(event, "more");
    if (!check || number(check) != payload_check(n))
        object(verdict, "I5: payload and check disagree");
    if (text)
        check_text(verdict, text, n);
    if (more)
        check_text(verdict, more, n);
}

/* I3: every gap of the payloads is what the lost record before it says. */
static void check_counter(struct verdict *verdict, const struct gb_run *run, const struct gb_event *event)
{
    const struct gb_event_attr *i = find(event, "i");
    uint32_t ring = run->ring;
    if (!i) {
        object(verdict, "I5: a counter without its payload");
        return;
    }
    uint64_t n = number(i);
    check_payload(verdict, event, n);
    if (verdict->met[ring] && n != verdict->next_payload[ring] + verdict->lost[ring])
        object(verdict, "I3: a gap that was not told, or is not there");
    if (!verdict->met[ring] && ring == 0)
        verdict->first_payload = n - verdict->lost[ring];
    verdict->met[ring] = true;
    verdict->next_payload[ring] = n + 1;
    verdict->lost[ring] = 0;
}

static void record_event(struct verdict *verdict, const struct gb_run *run, const struct gb_event *event)
{
    uint32_t ring = run->ring;
    bool open = (event->flags & GB_EVENT_UNFINISHED) && !(event->flags & GB_EVENT_ABANDONED);
    if (ring >= VERDICT_RINGS) {
        object(verdict, "a ring that no worker made");
        return;
    }
    if (event->kind == GB_EVENT_LOST) {
        for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
            if (i != GBW_BAD_VALUE) /* has no payload of its own */
                verdict->lost[ring] += event->as.account->dropped[i];
        return;
    }
    if (event->seq < verdict->next_seq[ring])
        object(verdict, "I3, I4: sequences do not rise");
    verdict->next_seq[ring] = event->seq + 1;
    verdict->unfinished += open;
    verdict->events += !open;
    if (event->kind == GB_EVENT_TIMING) {
        verdict->timings += !open && !(event->flags & GB_EVENT_DETACHED) && strcmp(event->path->name, "elsewhere") != 0;
        if (!strcmp(event->path->name, "outer"))
            check_payload(verdict, event, 7);
    } else if (event->kind == GB_EVENT_COUNTER && !strcmp(event->path->name, "n")) {
        check_counter(verdict, run, event); /* not the handler's: that one has no payload */
    }
}

bool verdict_record(struct verdict *verdict, const struct gb_run *run)
{
    bool ended = false;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct gb_event *event = &run->events[i];
        if (atomic_load_explicit(&verdict->finished, memory_order_relaxed)) {
            object(verdict, "something was told after the end");
        } else if (event->kind == GB_EVENT_STARTED) {
            if (verdict->started)
                object(verdict, "I4: its start was told twice");
            verdict->started = true;
        } else if (event->kind == GB_EVENT_FINISHED) {
            verdict->account = *event->as.account;
            atomic_store_explicit(&verdict->finished, true, memory_order_release);
            ended = true;
        } else if (run->ring_known) {
            record_event(verdict, run, event);
        }
    }
    return ended;
}

uint64_t verdict_dropped(const struct verdict *verdict)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
        sum += verdict->account.dropped[i];
    return sum;
}

static void check_sums(struct verdict *verdict)
{
    const struct expected *expected = &verdict->expected;
    const struct gb_account *account = &verdict->account;
    uint64_t settled = account->delivered + expected->taken_before + verdict_dropped(verdict);
    if (!atomic_load(&verdict->finished))
        object(verdict, "its end was never told");
    else if (settled < expected->returned)
        object(verdict, "I1: an emit that returned is nowhere");
    else if (settled > expected->begun)
        object(verdict, "I1: more events than were begun");
    else if (account->attempted - settled > 1)
        object(verdict, "I2: the sums disagree by more than the one in flight");
    else if (account->delivered != verdict->events)
        object(verdict, "I2: the ledger says another number than was delivered");
    else if (verdict->met[0] && expected->first_payload != UINT64_MAX &&
             verdict->first_payload != expected->first_payload)
        object(verdict, "I3: a gap before the first event that was not told, or is not there");
    else if (account->malformed)
        object(verdict, "I5: malformed records");
    else if (account->unfinished != verdict->unfinished)
        object(verdict, "the ledger says another number of open scopes");
    else if (expected->scopes_least == UINT64_MAX)
        return;
    else if (verdict->unfinished + verdict->timings < expected->scopes_begun)
        object(verdict, "a scope that had begun vanished");
    else if (verdict->unfinished + verdict->timings > expected->scopes_least + 1)
        object(verdict, "a scope was told twice");
}

const char *verdict_wrong(struct verdict *verdict)
{
    check_sums(verdict);
    return verdict->wrong;
}

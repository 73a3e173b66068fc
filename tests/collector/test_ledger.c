/* SPDX-License-Identifier: MIT */
/* The ledger's page, and the file of what janitors removed. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/bell.h"
#include "collector/ledger.h"
#include "collector/reap.h"
#include "gb/wire.h"
#include "tests/collector/fake_segment.h"

static struct fake_directory directory;
static struct bell *bell;

static int set_up(void **state)
{
    (void)state;
    fake_directory_make(&directory);
    return bell_open(directory.fd, &bell, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    bell_close(bell);
    fake_directory_remove(&directory);
    return 0;
}

static void sums(void **state)
{
    (void)state;
    struct gb_account account = {.attempted = 100, .delivered = 90, .malformed = 1, .dropped = {2, 0, 3}};
    assert_int_equal(ledger_dropped(&account), 5);
    assert_int_equal(ledger_in_flight(&account), 4);
    account.attempted = 10; /* a broken segment */
    assert_int_equal(ledger_in_flight(&account), 0);
}

static void page_is_80_columns(void **state)
{
    (void)state;
    struct reporter_account reporters[2] = {
        {.name = "log", .delivered = 18446744073709551615u, .skipped = 5},
        {.name = "summary-with-a-long-name", .delivered = 1, .dropped = {{"queue_full", 123456789}, {"stalled", 1}}}};
    struct ledger_page page = {.sum = {.attempted = 1234567, .delivered = 1000000, .unfinished = 2},
                               .workers = 3,
                               .alive = 1,
                               .quarantined = 1,
                               .refused = 2,
                               .reaped = {.segments = 1, .attempted = 12345678901, .delivered = 2, .lost = 12345678899},
                               .reporters = reporters,
                               .reporter_count = 2};
    char *text = NULL;
    size_t size = 0, column = 0;
    for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
        page.sum.dropped[i] = 1000000 * (i + 1);
    FILE *out = open_memstream(&text, &size);
    ledger_print(&page, out);
    fclose(out);
    for (const char *c = text; *c; c++) {
        column = *c == '\n' ? 0 : column + 1;
        assert_true(column <= 80);
    }
    assert_non_null(strstr(text, "ledger: 3 workers, 1 of them not finished\n"));
    assert_non_null(strstr(text, "  attempted             1,234,567\n"));
    assert_non_null(strstr(text, "  dropped              45,000,000 ring_full 1,000,000, busy 2,000,000,"));
    assert_non_null(strstr(text, " overwritten 9,000,000\n"));
    assert_non_null(strstr(text, "18,446,744,073,709,551,615"));
    assert_non_null(strstr(text, " queue_full 123,456,789,"));
    assert_non_null(strstr(text, "12,345,678,899 lost"));
    free(text);
}

static void write_bytes(const char *bytes, size_t length)
{
    int fd = openat(directory.fd, GBW_REAPED_NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static void write_reaped(const char *text)
{
    write_bytes(text, strlen(text));
}

static void reaped_is_read_once(void **state)
{
    (void)state;
    struct reaped sums = {0};
    assert_int_equal(reap_read(directory.fd, geteuid(), bell, &sums), 0); /* none */
    write_reaped("00112233445566778899aabbccddeeff 4711 batch attempted=10 delivered=7 lost=3\n"
                 "00112233445566778899aabbccddeeff 1 my attempted=5 program attempted=100 delivered=0 lost=100\n");
    assert_int_equal(reap_read(directory.fd, geteuid(), bell, &sums), 0);
    assert_int_equal(sums.segments, 2);
    assert_int_equal(sums.attempted, 110);
    assert_int_equal(sums.delivered, 7);
    assert_int_equal(sums.lost, 103);
    assert_int_equal(sums.unreadable, 0);
    assert_int_equal(reap_read(directory.fd, geteuid(), bell, &sums), 0);
    assert_int_equal(sums.segments, 2); /* it was emptied */
}

static void reaped_nonsense_is_counted(void **state)
{
    (void)state;
    struct reaped sums = {0};
    char long_line[5000];
    memset(long_line, 'x', sizeof(long_line) - 2);
    strcpy(long_line + sizeof(long_line) - 2, "\n");
    write_reaped("nonsense\n\n0011 1 p attempted=1 delivered=1 lost=0\n");
    write_reaped(long_line);
    write_bytes("0011\0 1 p\n", 10); /* and it does not take the next line along */
    write_reaped("00112233445566778899aabbccddeeff 4711 p attempted=1 delivered=1 lost=0\n");
    write_reaped("00112233445566778899aabbccddeeff 4711 p attempted=1 deliv"); /* torn */
    assert_int_equal(reap_read(directory.fd, geteuid(), bell, &sums), 0);
    assert_int_equal(sums.segments, 1);
    assert_int_equal(sums.unreadable, 6);

    unlinkat(directory.fd, GBW_REAPED_NAME, 0);
    assert_int_equal(symlinkat("/etc/hostname", directory.fd, GBW_REAPED_NAME), 0);
    assert_int_not_equal(reap_read(directory.fd, geteuid(), bell, &sums), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums),
        cmocka_unit_test(page_is_80_columns),
        cmocka_unit_test_setup_teardown(reaped_is_read_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reaped_nonsense_is_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

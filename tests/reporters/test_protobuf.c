/* SPDX-License-Identifier: MIT */
/* The bytes that the format's own documentation gives, and lengths on both sides of each size of a varint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/reporters/protobuf.h"

static struct protobuf out;

static int tear_down(void **state)
{
    (void)state;
    protobuf_free(&out);
    return 0;
}

#define ASSERT_BYTES(...)                                                                                              \
    do {                                                                                                               \
        const uint8_t expected[] = {__VA_ARGS__};                                                                      \
        assert_false(out.failed);                                                                                      \
        assert_int_equal(out.length, sizeof(expected));                                                                \
        assert_memory_equal(out.bytes, expected, sizeof(expected));                                                    \
        protobuf_clear(&out);                                                                                          \
    } while (0)

static void test_numbers(void **state)
{
    (void)state;
    protobuf_uint(&out, 1, 150);
    ASSERT_BYTES(0x08, 0x96, 0x01);
    protobuf_uint(&out, 16, 0);
    ASSERT_BYTES(0x80, 0x01, 0x00);
    protobuf_uint(&out, 1, UINT64_MAX);
    ASSERT_BYTES(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
    protobuf_int(&out, 1, -2);
    ASSERT_BYTES(0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
    protobuf_put_sint(&out, 0);
    protobuf_put_sint(&out, -1);
    protobuf_put_sint(&out, 1);
    protobuf_put_sint(&out, -2);
    protobuf_put_sint(&out, 0x7fffffff);
    protobuf_put_sint(&out, INT64_MIN);
    ASSERT_BYTES(0, 1, 2, 3, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
    protobuf_sint(&out, 5, 5);
    ASSERT_BYTES(0x28, 0x0a);
    protobuf_double(&out, 2, 1.0);
    ASSERT_BYTES(0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f);
    protobuf_fixed64(&out, 2, 0x0102030405060708u);
    ASSERT_BYTES(0x11, 8, 7, 6, 5, 4, 3, 2, 1);
}

static void test_text_and_nesting(void **state)
{
    (void)state;
    protobuf_text(&out, 2, "testing");
    ASSERT_BYTES(0x12, 0x07, 't', 'e', 's', 't', 'i', 'n', 'g');
    protobuf_bytes(&out, 2, NULL, 0);
    ASSERT_BYTES(0x12, 0x00);
    size_t outer = protobuf_begin_delimited(&out), inner = protobuf_begin(&out, 3);
    protobuf_uint(&out, 1, 150);
    protobuf_end(&out, inner);
    inner = protobuf_begin(&out, 4);
    protobuf_put_uint(&out, 3);
    protobuf_put_uint(&out, 270);
    protobuf_put_uint(&out, 86942);
    protobuf_end(&out, inner);
    inner = protobuf_begin(&out, 100);
    protobuf_text(&out, 1, "no");
    protobuf_cancel(&out, inner, 100);
    protobuf_end(&out, outer);
    ASSERT_BYTES(13, 0x1a, 0x03, 0x08, 0x96, 0x01, 0x22, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05);
}

/* A message of `length` bytes inside another, read back by hand. */
static void check_length(size_t length)
{
    uint8_t *fill = malloc(length + 1);
    assert_non_null(fill);
    memset(fill, 0x55, length);
    size_t outer = protobuf_begin(&out, 1), inner = protobuf_begin(&out, 2);
    for (size_t left = length; left > 0; left -= left >= 8 ? 8 : 1) {
        if (left >= 8)
            protobuf_put_fixed64(&out, 0x5555555555555555u);
        else
            protobuf_put_uint(&out, 0x55);
    }
    protobuf_end(&out, inner);
    protobuf_end(&out, outer);
    assert_false(out.failed);

    size_t at = 0, lengths[2];
    for (unsigned level = 0; level < 2; level++) {
        assert_int_equal(out.bytes[at++], (level + 1) << 3 | 2);
        lengths[level] = 0;
        unsigned shift = 0;
        do
            lengths[level] |= (size_t)(out.bytes[at] & 0x7f) << shift;
        while (shift += 7, out.bytes[at++] & 0x80);
        assert_int_equal(at + lengths[level], out.length);
    }
    assert_int_equal(lengths[1], length);
    assert_memory_equal(out.bytes + at, fill, length);
    protobuf_clear(&out);
    free(fill);
}

static void test_lengths(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 123, 124, 125, 126, 127, 128, 16380, 16383, 16384, 2097151, 2097152};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        check_length(lengths[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_numbers, tear_down),
        cmocka_unit_test_teardown(test_text_and_nesting, tear_down),
        cmocka_unit_test_teardown(test_lengths, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

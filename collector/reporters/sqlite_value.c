/* SPDX-License-Identifier: MIT */
/* See sqlite_value.h. One rule for both ways into a row: as what a statement binds, and as a column of a table that it reads. */
#include "collector/reporters/sqlite_value.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "collector/reporters/number.h"
#include "collector/utf8.h"

static bool is_text(const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        const unsigned char *byte = (const unsigned char *)text + at;
        if (*byte < 0x80) {
            if (*byte == 0)
                return false;
            at++;
        } else if (*byte == 0xc2 && length - at > 1 && byte[1] >= 0x80 && byte[1] <= 0x9f) {
            at += 2; /* U+0080 to U+009F: controls, and valid */
        } else {
            size_t bytes = utf8_character(text + at, length - at);
            if (!bytes)
                return false;
            at += bytes;
        }
    }
    return true;
}

/* What it is stored as; what it points to is the value's, or `digits`. */
struct stored {
    int type; /* of SQLite */
    int64_t integer;
    double real;
    const char *bytes;
    int length;
    char digits[NUMBER_MAX];
};

static void store(const struct gb_event_value *value, struct stored *ret)
{
    switch (value->type) {
    case GB_VALUE_BOOL:
        ret->type = SQLITE_INTEGER;
        ret->integer = value->as.boolean;
        break;
    case GB_VALUE_INT:
        ret->type = SQLITE_INTEGER;
        ret->integer = value->as.i;
        break;
    case GB_VALUE_UINT:
        ret->type = value->as.u <= INT64_MAX ? SQLITE_INTEGER : SQLITE_TEXT;
        ret->integer = (int64_t)value->as.u;
        ret->bytes = ret->digits;
        if (ret->type == SQLITE_TEXT)
            ret->length = (int)(number_put_uint(ret->digits, value->as.u) - ret->digits);
        break;
    case GB_VALUE_DOUBLE:
        ret->type = isnan(value->as.d) ? SQLITE_TEXT : SQLITE_FLOAT;
        ret->real = value->as.d;
        ret->bytes = "NaN";
        ret->length = 3;
        break;
    case GB_VALUE_TEXT:
        ret->type = is_text(value->as.text, value->length) ? SQLITE_TEXT : SQLITE_BLOB;
        ret->bytes = value->as.text;
        ret->length = (int)value->length;
        break;
    default:
        ret->type = SQLITE_NULL;
    }
}

/* Digits are gone when we return. */
#define LIFETIME(stored) ((stored).bytes == (stored).digits ? SQLITE_TRANSIENT : SQLITE_STATIC)

void sqlite_bind_value(sqlite3_stmt *statement, int column, const struct gb_event_value *value)
{
    struct stored stored;

    store(value, &stored);
    if (stored.type == SQLITE_INTEGER)
        sqlite3_bind_int64(statement, column, stored.integer);
    else if (stored.type == SQLITE_FLOAT)
        sqlite3_bind_double(statement, column, stored.real);
    else if (stored.type == SQLITE_TEXT)
        sqlite3_bind_text(statement, column, stored.bytes, stored.length, LIFETIME(stored));
    else if (stored.type == SQLITE_BLOB)
        sqlite3_bind_blob(statement, column, stored.bytes, stored.length, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, column);
}

void sqlite_result_value(sqlite3_context *to, const struct gb_event_value *value)
{
    struct stored stored;

    store(value, &stored);
    if (stored.type == SQLITE_INTEGER)
        sqlite3_result_int64(to, stored.integer);
    else if (stored.type == SQLITE_FLOAT)
        sqlite3_result_double(to, stored.real);
    else if (stored.type == SQLITE_TEXT)
        sqlite3_result_text(to, stored.bytes, stored.length, LIFETIME(stored));
    else if (stored.type == SQLITE_BLOB)
        sqlite3_result_blob(to, stored.bytes, stored.length, SQLITE_STATIC);
    else
        sqlite3_result_null(to);
}

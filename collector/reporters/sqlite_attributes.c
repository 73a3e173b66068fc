/* SPDX-License-Identifier: MIT */
/* See sqlite_attributes.h: a virtual table without arguments, read from its beginning to its end. */
#include "collector/reporters/sqlite_attributes.h"

#include <string.h>

#include "collector/reporters/sqlite_value.h"

enum { COLUMN_EVENT_ID, COLUMN_POSITION, COLUMN_KEY, COLUMN_TYPE, COLUMN_VALUE };

struct table {
    sqlite3_vtab base;
    const struct attributes_source *source;
};

/* Invariant: `at` is an attribute of `event`, or event == end. */
struct place {
    sqlite3_vtab_cursor base;
    const struct gb_event *event, *end;
    uint32_t at;
    int64_t id;
};

static int table_connect(sqlite3 *db, void *source, int argc, const char *const *argv, sqlite3_vtab **ret_table,
                         char **ret_error)
{
    (void)argc, (void)argv, (void)ret_error;
    int result = sqlite3_declare_vtab(db, "create table held (event_id, position, key, type, value)");
    struct table *table = result == SQLITE_OK ? sqlite3_malloc(sizeof(*table)) : NULL;

    if (!table)
        return result == SQLITE_OK ? SQLITE_NOMEM : result;
    *table = (struct table){.source = source};
    *ret_table = &table->base;
    return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

static int table_plan(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    info->estimatedCost = 1; /* there is one way */
    return SQLITE_OK;
}

static int place_open(sqlite3_vtab *table, sqlite3_vtab_cursor **ret_cursor)
{
    struct place *place = sqlite3_malloc(sizeof(*place));

    (void)table;
    if (!place)
        return SQLITE_NOMEM;
    *place = (struct place){0};
    *ret_cursor = &place->base;
    return SQLITE_OK;
}

static int place_close(sqlite3_vtab_cursor *cursor)
{
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static void pass_events_without(struct place *place)
{
    for (; place->event < place->end && place->at >= attributes_of(place->event); place->event++) {
        place->id += attributes_takes_id(place->event);
        place->at = 0;
    }
}

static int place_begin(sqlite3_vtab_cursor *cursor, int plan, const char *plan_text, int argc, sqlite3_value **argv)
{
    struct place *place = (struct place *)cursor;
    const struct attributes_source *source = ((const struct table *)cursor->pVtab)->source;

    (void)plan, (void)plan_text, (void)argc, (void)argv;
    place->event = source->events;
    place->end = source->events + source->count;
    place->at = 0;
    place->id = source->first_id;
    pass_events_without(place);
    return SQLITE_OK;
}

static int place_next(sqlite3_vtab_cursor *cursor)
{
    struct place *place = (struct place *)cursor;

    place->at++;
    pass_events_without(place);
    return SQLITE_OK;
}

static int place_is_end(sqlite3_vtab_cursor *cursor)
{
    const struct place *place = (const struct place *)cursor;
    return place->event == place->end;
}

static int place_column(sqlite3_vtab_cursor *cursor, sqlite3_context *to, int column)
{
    const struct place *place = (const struct place *)cursor;
    const struct gb_event_attr *attr = &place->event->attrs[place->at];

    switch (column) {
    case COLUMN_EVENT_ID:
        sqlite3_result_int64(to, place->id);
        break;
    case COLUMN_POSITION:
        sqlite3_result_int64(to, place->at);
        break;
    case COLUMN_KEY:
        sqlite3_result_text(to, attr->key->text, (int)attr->key->length, SQLITE_STATIC);
        break;
    case COLUMN_TYPE:
        sqlite3_result_int64(to, attr->value.type);
        break;
    default:
        sqlite_result_value(to, &attr->value);
    }
    return SQLITE_OK;
}

static int place_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret_rowid)
{
    const struct place *place = (const struct place *)cursor;
    *ret_rowid = place->id; /* nobody asks */
    return SQLITE_OK;
}

/* Without xCreate: it is there by its name, and in no schema. */
static const sqlite3_module module = {.xConnect = table_connect,
                                      .xBestIndex = table_plan,
                                      .xDisconnect = table_disconnect,
                                      .xOpen = place_open,
                                      .xClose = place_close,
                                      .xFilter = place_begin,
                                      .xNext = place_next,
                                      .xEof = place_is_end,
                                      .xColumn = place_column,
                                      .xRowid = place_rowid};

int attributes_register(sqlite3 *db, struct attributes_source *source)
{
    return sqlite3_create_module(db, ATTRIBUTES_TABLE, &module, source);
}

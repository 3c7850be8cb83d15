// SPDX-License-Identifier: Apache-2.0
#include "cell.h"

#include "bytes.h"
#include "format.h"

// PostgreSQL counts from 2000-01-01.
enum { DAYS_TO_2000 = 10957 };
#define MICROSECONDS_TO_2000 (DAYS_TO_2000 * 86400000000LL)

bool cell_boolean(struct text cell, bool binary, bool *ret_value) {
    char yes = binary ? 1 : 't', no = binary ? 0 : 'f'; // texts are t and f, or true and false
    if (cell.length == 0 || (cell.bytes[0] != yes && cell.bytes[0] != no))
        return false;
    *ret_value = cell.bytes[0] == yes;
    return true;
}

bool cell_integer(struct text cell, bool binary, int64_t *ret_value) {
    if (!binary)
        return integer_parse(cell, ret_value);
    if (cell.length == sizeof(int64_t))
        *ret_value = (int64_t)bytes_get_u64(cell.bytes);
    else if (cell.length == sizeof(int32_t))
        *ret_value = (int32_t)bytes_get_u32(cell.bytes);
    else
        return false;
    return true;
}

bool cell_uuid(struct text cell, bool binary, struct uuid *ret_uuid) {
    if (!binary)
        return uuid_parse(cell, ret_uuid);
    if (cell.length != sizeof *ret_uuid)
        return false;
    memcpy(ret_uuid, cell.bytes, sizeof *ret_uuid);
    return true;
}

bool cell_date(struct text cell, bool binary, int32_t *ret_days) {
    if (!binary)
        return date_parse(cell, ret_days);
    if (cell.length != sizeof(int32_t))
        return false;
    int64_t days = (int64_t)(int32_t)bytes_get_u32(cell.bytes) + DAYS_TO_2000;
    if (days < DATE_MIN || days > DATE_MAX)
        return false; // also infinity
    *ret_days = (int32_t)days;
    return true;
}

bool cell_timestamp(struct text cell, bool binary, int64_t *ret_microseconds) {
    if (!binary)
        return timestamp_parse(cell, ret_microseconds);
    if (cell.length != sizeof(int64_t))
        return false;
    int64_t since_2000 = (int64_t)bytes_get_u64(cell.bytes);
    if (since_2000 < TIMESTAMP_MIN - MICROSECONDS_TO_2000 ||
        since_2000 > TIMESTAMP_MAX - MICROSECONDS_TO_2000)
        return false; // also infinity
    *ret_microseconds = since_2000 + MICROSECONDS_TO_2000;
    return true;
}

// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#pragma once

enum status {
    STATUS_OK = 0,
    STATUS_CREATED = 1,
    STATUS_NO_CONTENT = 2,
    STATUS_NOT_FOUND = 13,
    STATUS_INTERNAL = 30,
    STATUS_UNAVAILABLE = 31,
};

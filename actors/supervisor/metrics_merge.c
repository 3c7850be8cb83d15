// SPDX-License-Identifier: Apache-2.0
#include "metrics_merge.h"

#include "limits.h"
#include "sheet.h"

enum { BLOCKS_MAX = 16 * METRICS_FAMILIES_MAX };

// What a page says about one family.
struct block {
    struct text samples;
    struct block *next; // of the same family, in the order of the sources
};

struct family {
    struct text name;
    struct text announcement; // HELP and TYPE
    struct block *first, *last;
};

struct merge {
    struct family *families;
    struct block *blocks;
    uint32_t family_count, block_count;
};

// Takes the lines of a page from its beginning as long as they are (not) comments.
static struct text lines_take(struct text *page, bool comments) {
    struct text taken = {page->bytes, 0};
    while (page->length > 0 && (page->bytes[0] == '#') == comments) {
        const char *end = memchr(page->bytes, '\n', page->length);
        uint32_t length = (uint32_t)(end - page->bytes) + 1; // a page ends with a line end
        taken.length += length;
        *page = (struct text){page->bytes + length, page->length - length};
    }
    return taken;
}

// "# HELP name sentence": its third word.
static struct text name_of(struct text announcement) {
    const char *at = announcement.bytes, *end = at + strcspn(at, "\n");
    for (uint32_t word = 0; word < 2; word++) {
        while (at < end && *at != ' ')
            at++;
        at += at < end;
    }
    const char *name = at;
    while (at < end && *at != ' ')
        at++;
    return (struct text){name, (uint32_t)(at - name)};
}

static struct family *merge_family(struct merge *merge, struct text announcement) {
    struct text name = name_of(announcement);
    for (uint32_t i = 0; i < merge->family_count; i++) {
        if (text_equal(merge->families[i].name, name))
            return &merge->families[i];
    }
    if (merge->family_count == METRICS_FAMILIES_MAX)
        return NULL;
    struct family *family = &merge->families[merge->family_count++];
    *family = (struct family){.name = name, .announcement = announcement};
    return family;
}

static bool merge_page(struct merge *merge, struct text page) {
    (void)lines_take(&page, false); // of no family
    while (page.length > 0) {
        struct family *family = merge_family(merge, lines_take(&page, true));
        if (family == NULL || merge->block_count == BLOCKS_MAX)
            return false;
        struct block *block = &merge->blocks[merge->block_count++];
        *block = (struct block){.samples = lines_take(&page, false)};
        if (family->first == NULL)
            family->first = block;
        else
            family->last->next = block;
        family->last = block;
    }
    return true;
}

static bool page_is_whole(struct text page) {
    return page.length > 0 && page.bytes[0] == '#' && page.bytes[page.length - 1] == '\n';
}

static void sheet_text(struct sheet *sheet, struct text text) {
    sheet_print(sheet, "%.*s", (int)text.length, text.bytes);
}

static void sheet_up(struct sheet *sheet, const struct metrics_source *sources, uint32_t count) {
    sheet_print(sheet, "# HELP valorize_up 1: the process gave its metrics in time.\n"
                       "# TYPE valorize_up gauge\n");
    for (uint32_t i = 0; i < count; i++)
        sheet_print(sheet, "valorize_up{process=\"%s\"} %d\n", sources[i].process,
                    page_is_whole(sources[i].page));
}

struct text metrics_merge(const struct metrics_source *sources, uint32_t count,
                          struct arena *arena) {
    struct merge merge = {
        .families = arena_take(arena, METRICS_FAMILIES_MAX * sizeof(struct family)),
        .blocks = arena_take(arena, BLOCKS_MAX * sizeof(struct block)),
    };
    if (merge.families == NULL || merge.blocks == NULL)
        return (struct text){0};
    for (uint32_t i = 0; i < count; i++) {
        if (page_is_whole(sources[i].page) && !merge_page(&merge, sources[i].page))
            return (struct text){0};
    }
    struct sheet sheet;
    sheet_begin(&sheet, arena);
    sheet_up(&sheet, sources, count);
    for (uint32_t i = 0; i < merge.family_count; i++) {
        sheet_text(&sheet, merge.families[i].announcement);
        for (const struct block *block = merge.families[i].first; block != NULL;
             block = block->next)
            sheet_text(&sheet, block->samples);
    }
    return sheet_end(&sheet);
}

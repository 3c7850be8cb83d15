// SPDX-License-Identifier: Apache-2.0
#include "ask.h"

#include "command.h"
#include "probe.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 512, SENTENCE_BYTES = 1024 };

static struct text ask_path(const char *path, const char *question, struct arena *arena) {
    char *answer = malloc(ASK_ANSWER_BYTES);
    ASSERT(answer != NULL);
    size_t length = probe_wait(path, question, answer, ASK_ANSWER_BYTES);
    struct text copy = {0};
    if (length > 0)
        copy = arena_copy(arena, (struct text){answer, (uint32_t)length});
    free(answer);
    return copy;
}

struct text ask_one(const char *data, const char *name, const char *question, struct arena *arena) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/run/%s.sock", data, name); // a longer one does not exist
    return ask_path(path, question, arena);
}

uint32_t ask_all(const char *data, const char *pattern, const char *question, struct arena *arena,
                 struct asked ret_asked[ASK_PROCESSES_MAX]) {
    char paths[PATH_BYTES];
    glob_t found;
    uint32_t count = 0;
    (void)snprintf(paths, sizeof paths, "%s/run/%s.sock", data, pattern); // as above
    if (glob(paths, 0, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; i < found.gl_pathc && count < ASK_PROCESSES_MAX; i++) {
        struct asked *asked = &ret_asked[count];
        const char *file = strrchr(found.gl_pathv[i], '/') + 1;
        size_t length = strlen(file) - (sizeof ".sock" - 1);
        if (length >= sizeof asked->name)
            continue;
        (void)snprintf(asked->name, sizeof asked->name, "%.*s", (int)length, file); // fits
        asked->answer = ask_path(found.gl_pathv[i], question, arena);
        count++;
    }
    globfree(&found);
    return count;
}

int ask_fail(const char *command, const char *data, const char *whom) {
    char sentence[SENTENCE_BYTES];
    (void)snprintf(sentence, sizeof sentence,
                   "%s answers in %s/run. Start the system with `valorize up`, or set "
                   "VALORIZE_DATA to the folder of a running one.",
                   whom, data);
    return command_fail(command, sentence);
}

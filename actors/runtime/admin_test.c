// SPDX-License-Identifier: Apache-2.0
#include "admin.h"
#include "expect.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BIG_BYTES = 900000 };

static char directory[] = "/tmp/admin_test.XXXXXX";
static struct loop *loop;

static enum admin_state state_ready(void *context) {
    EXPECT(context == directory);
    return ADMIN_READY;
}

static void links_some(void *context, uint32_t *ret_links, uint32_t *ret_brokers) {
    (void)context;
    *ret_links = 3;
    *ret_brokers = 4;
}

static struct text metrics_big(void *context, struct arena *arena) {
    (void)context;
    char *bytes = arena_take(arena, BIG_BYTES);
    for (uint32_t i = 0; i < BIG_BYTES; i++)
        bytes[i] = (char)('a' + i % 23);
    return (struct text){bytes, BIG_BYTES};
}

static struct text top_huge(void *context, struct arena *arena) {
    (void)context;
    char *bytes = arena_take(arena, 64 << 20);
    return (struct text){bytes, 0};
}

static struct text command_echo(void *context, struct text line, struct arena *arena) {
    (void)context;
    if (line.length < 5 || memcmp(line.bytes, "echo ", 5) != 0)
        return (struct text){0};
    return arena_copy(arena, (struct text){line.bytes + 5, line.length - 5});
}

static struct admin_options options_make(int listener) {
    return (struct admin_options){
        .directory = directory,
        .name = "query-2",
        .listener = listener,
        .context = directory,
        .state = state_ready,
        .links = links_some,
        .metrics = metrics_big,
        .top = top_huge,
        .command = command_echo,
    };
}

// --- a caller in the same loop -----------------------------------------------------------------

struct client {
    struct watch watch;
    char *answer;
    uint32_t length;
    int passed; // descriptor received, or -1
};

static void client_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    struct client *client = CONTAINER_OF(watch, struct client, watch);
    (void)epoll_events;
    (void)now_us;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {client->answer + client->length, 2 * BIG_BYTES - client->length};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t taken = recvmsg(watch->descriptor, &message, 0);
    if (taken > 0 && message.msg_controllen > 0 && control.header.cmsg_type == SCM_RIGHTS)
        memcpy(&client->passed, CMSG_DATA(&control.header), sizeof client->passed);
    if (taken > 0) {
        client->length += (uint32_t)taken;
        return;
    }
    loop_stop(loop);
}

static int client_connect(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/query-2.sock", directory);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT(descriptor >= 0);
    EXPECT_INTEGER(connect(descriptor, (struct sockaddr *)&address, sizeof address), 0);
    return descriptor;
}

// The answer to one line; the caller frees its bytes.
static struct client client_ask(const char *line) {
    struct client client = {.passed = -1, .answer = malloc(2 * BIG_BYTES)};
    client.watch = (struct watch){client_connect(), client_ready};
    ssize_t length = (ssize_t)strlen(line);
    EXPECT_INTEGER(send(client.watch.descriptor, line, (size_t)length, 0), length);
    loop_watch(loop, &client.watch, EPOLLIN);
    loop_run(loop, NULL, NULL);
    loop_unwatch(loop, &client.watch);
    close(client.watch.descriptor);
    client.answer[client.length] = '\0';
    return client;
}

static void expect_answer(const char *line, const char *expected) {
    struct client client = client_ask(line);
    EXPECT_TEXT(((struct text){client.answer, client.length}), expected);
    free(client.answer);
}

// --- tests -------------------------------------------------------------------------------------

static void test_answers(void) {
    loop = loop_new();
    struct admin_options options = options_make(-1);
    struct admin *admin = admin_new(loop, &options);
    EXPECT(admin != NULL);

    struct client client = client_ask("status\n");
    char expected[100];
    (void)snprintf(expected, sizeof expected,
                   "{\"name\":\"query-2\",\"pid\":%d,\"state\":\"ready\",\"since\":", getpid());
    EXPECT(strncmp(client.answer, expected, strlen(expected)) == 0);
    EXPECT(strstr(client.answer, ",\"links\":3,\"brokers\":4}\n") != NULL);
    free(client.answer);

    expect_answer("echo hello\n", "hello");
    expect_answer("nonsense\n", "{\"error\":\"unknown command\"}\n");
    expect_answer("top\n", "{\"error\":\"the answer is too long\"}\n");
    expect_answer("listener\n", "");

    client = client_ask("metrics\n");
    EXPECT_INTEGER(client.length, BIG_BYTES);
    EXPECT_INTEGER(client.answer[BIG_BYTES - 1], 'a' + (BIG_BYTES - 1) % 23);
    free(client.answer);

    static char endless[600];
    memset(endless, 'x', sizeof endless - 1);
    client = client_ask(endless);
    EXPECT_INTEGER(client.length, 0);
    free(client.answer);
    admin = admin_free(admin);
    loop = loop_free(loop);
}

static void test_silent_callers_make_room(void) {
    loop = loop_new();
    struct admin_options options = options_make(-1);
    struct admin *admin = admin_new(loop, &options);
    int silent[100];
    for (size_t i = 0; i < COUNT_OF(silent); i++)
        silent[i] = client_connect();
    for (int i = 0; i < 3; i++)
        expect_answer("echo heartbeat\n", "heartbeat");
    char byte;
    EXPECT_INTEGER(recv(silent[0], &byte, 1, 0), 0); // hung up on
    EXPECT_INTEGER(recv(silent[COUNT_OF(silent) - 1], &byte, 1, 0), -1);
    EXPECT_INTEGER(errno, EAGAIN);
    for (size_t i = 0; i < COUNT_OF(silent); i++)
        close(silent[i]);
    admin = admin_free(admin);
    loop = loop_free(loop);
}

static void test_listener_is_passed(void) {
    loop = loop_new();
    int ends[2];
    ASSERT(pipe(ends) == 0);
    struct admin_options options = options_make(ends[1]);
    struct admin *admin = admin_new(loop, &options);
    struct client client = client_ask("listener\n");
    EXPECT_INTEGER(client.length, 1);
    EXPECT(client.passed >= 0);
    EXPECT_INTEGER(write(client.passed, "z", 1), 1);
    char byte = 0;
    EXPECT_INTEGER(read(ends[0], &byte, 1), 1);
    EXPECT_INTEGER(byte, 'z');
    free(client.answer);
    close(client.passed);
    close(ends[0]);
    close(ends[1]);
    admin = admin_free(admin);
    loop = loop_free(loop);
}

static void test_door_is_private_and_single(void) {
    loop = loop_new();
    struct admin_options options = options_make(-1);
    struct admin *admin = admin_new(loop, &options);
    char path[100];
    (void)snprintf(path, sizeof path, "%s/query-2.sock", directory);
    struct stat status;
    EXPECT_INTEGER(stat(path, &status), 0);
    EXPECT_INTEGER(status.st_mode & 0777, 0600);
    EXPECT(admin_new(loop, &options) == NULL);
    EXPECT_INTEGER(errno, EADDRINUSE);
    admin = admin_free(admin);
    EXPECT(stat(path, &status) != 0);
    loop = loop_free(loop);
}

static void test_dead_socket_is_replaced(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/query-2.sock", directory);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT(bind(dead, (struct sockaddr *)&address, sizeof address) == 0);
    close(dead); // the file stays, as after kill -9
    loop = loop_new();
    struct admin_options options = options_make(-1);
    struct admin *admin = admin_new(loop, &options);
    EXPECT(admin != NULL);
    admin = admin_free(admin);
    loop = loop_free(loop);
}

static void test_long_path_is_refused(void) {
    static char deep[120] = "/tmp/";
    memset(deep + 5, 'd', 95);
    loop = loop_new();
    struct admin_options options = options_make(-1);
    options.directory = deep;
    EXPECT(admin_new(loop, &options) == NULL);
    EXPECT_INTEGER(errno, ENAMETOOLONG);
    loop = loop_free(loop);
}

int main(void) {
    static const struct test tests[] = {
        {"each line has its answer, long ones whole", test_answers},
        {"callers who say nothing make room for others", test_silent_callers_make_room},
        {"the listening descriptor is passed on", test_listener_is_passed},
        {"the door is private, and one process has a name", test_door_is_private_and_single},
        {"a dead process's socket is replaced", test_dead_socket_is_replaced},
        {"a path that is too long is refused", test_long_path_is_refused},
    };
    ASSERT(mkdtemp(directory) != NULL);
    int result = expect_run(tests, COUNT_OF(tests));
    ASSERT(rmdir(directory) == 0);
    return result;
}

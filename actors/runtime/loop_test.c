// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "loop.h"

#include "clock.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;

// --- timers ------------------------------------------------------------------------------------

enum { TIMERS = 1000 };

struct ticket {
    struct timer timer;
    uint32_t number;
    bool cleared;
};

static struct ticket tickets[TIMERS];
static uint64_t fired_due_us[TIMERS];
static uint32_t fired_count;

static void ticket_fire(struct timer *timer, uint64_t now_us) {
    struct ticket *ticket = CONTAINER_OF(timer, struct ticket, timer);
    EXPECT(!ticket->cleared);
    EXPECT_INTEGER(timer->due_us, 0);
    (void)now_us;
    fired_due_us[fired_count++] = ticket->number;
}

static void stop_fire(struct timer *timer, uint64_t now_us) {
    (void)timer;
    (void)now_us;
    loop_stop(loop);
}

// Due times are a permutation within one past millisecond, so all fire in one turn, in order.
static void test_timers_fire_in_order(void) {
    loop = loop_new();
    uint64_t start_us = loop_now_us(loop) - TIMERS - 1;
    fired_count = 0;
    for (uint32_t i = 0; i < TIMERS; i++) {
        tickets[i] = (struct ticket){.timer.fire = ticket_fire};
        loop_timer_set(loop, &tickets[i].timer, start_us + TIMERS - i);
    }
    for (uint32_t i = 0; i < TIMERS; i++) {
        tickets[i].number = i * 7 % TIMERS; // 7 and 1000 have no common factor
        loop_timer_set(loop, &tickets[i].timer, start_us + tickets[i].number);
    }
    for (uint32_t i = 0; i < TIMERS; i += 3) {
        tickets[i].cleared = true;
        loop_timer_clear(loop, &tickets[i].timer);
    }
    struct timer stop = {.fire = stop_fire};
    loop_timer_set(loop, &stop, start_us + TIMERS);
    loop_run(loop, NULL, NULL);
    EXPECT_INTEGER(fired_count, TIMERS - (TIMERS + 2) / 3);
    for (uint32_t i = 1; i < fired_count; i++)
        EXPECT(fired_due_us[i - 1] < fired_due_us[i]);
    loop = loop_free(loop);
}

static void test_timer_is_not_early(void) {
    loop = loop_new();
    struct timer stop = {.fire = stop_fire};
    uint64_t due_us = clock_monotonic_us() + 5300;
    loop_timer_set(loop, &stop, due_us);
    loop_run(loop, NULL, NULL);
    EXPECT(clock_monotonic_us() >= due_us);
    loop = loop_free(loop);
}

static uint32_t again_count;

static void again_fire(struct timer *timer, uint64_t now_us) {
    again_count++;
    if (again_count == 3)
        loop_stop(loop);
    loop_timer_set(loop, timer, now_us); // due already
}

static uint32_t hook_count;

static bool hook_counts(struct drain *drain, uint64_t now_us) {
    (void)drain;
    (void)now_us;
    hook_count++;
    return false;
}

static void test_timer_set_while_firing_waits_a_turn(void) {
    loop = loop_new();
    again_count = hook_count = 0;
    struct drain hook = {.run = hook_counts};
    struct timer again = {.fire = again_fire};
    loop_add_drain(loop, &hook);
    loop_timer_set(loop, &again, loop_now_us(loop));
    loop_run(loop, NULL, NULL);
    EXPECT_INTEGER(again_count, 3);
    EXPECT_INTEGER(hook_count, 3);
    loop = loop_free(loop);
}

// --- descriptors -------------------------------------------------------------------------------

static struct watch pair[2];
static uint32_t ready_count;

static void first_unwatches_other(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    (void)epoll_events;
    (void)now_us;
    ready_count++;
    loop_unwatch(loop, &pair[0]);
    loop_unwatch(loop, &pair[1]);
    (void)watch;
    loop_stop(loop);
}

static void test_unwatched_descriptor_is_silent(void) {
    loop = loop_new();
    int pipes[2][2];
    ready_count = 0;
    for (int i = 0; i < 2; i++) {
        ASSERT(pipe(pipes[i]) == 0);
        ASSERT(write(pipes[i][1], "x", 1) == 1);
        pair[i] = (struct watch){pipes[i][0], first_unwatches_other};
        loop_watch(loop, &pair[i], EPOLLIN);
    }
    loop_run(loop, NULL, NULL);
    EXPECT_INTEGER(ready_count, 1);
    for (int i = 0; i < 4; i++)
        close(pipes[i / 2][i % 2]);
    loop = loop_free(loop);
}

// --- hooks -------------------------------------------------------------------------------------

static uint32_t eager_left;
static uint32_t later_seen;

static bool hook_eager(struct drain *drain, uint64_t now_us) {
    (void)drain;
    (void)now_us;
    if (eager_left == 0)
        return false;
    eager_left--;
    return true;
}

static bool hook_later(struct drain *drain, uint64_t now_us) {
    (void)drain;
    (void)now_us;
    later_seen++;
    if (eager_left == 0)
        loop_stop(loop);
    return false;
}

static void test_hooks_run_until_none_has_work(void) {
    loop = loop_new();
    eager_left = 40; // more than one turn's rounds
    later_seen = 0;
    struct drain eager = {.run = hook_eager};
    struct drain later = {.run = hook_later};
    loop_add_drain(loop, &eager);
    loop_add_drain(loop, &later);
    loop_run(loop, NULL, NULL);
    EXPECT_INTEGER(eager_left, 0);
    EXPECT_INTEGER(later_seen, 40);
    loop_remove_drain(loop, &later);
    loop_remove_drain(loop, &eager);
    loop = loop_free(loop);
}

// --- signals -----------------------------------------------------------------------------------

static uint32_t terminate_count;

static void on_terminate(void *context) {
    EXPECT(context == &terminate_count);
    terminate_count++;
    ASSERT(kill(getpid(), SIGINT) == 0); // the second one stops
}

static void test_second_signal_stops(void) {
    loop = loop_new();
    terminate_count = 0;
    ASSERT(kill(getpid(), SIGTERM) == 0);
    loop_run(loop, on_terminate, &terminate_count);
    EXPECT_INTEGER(terminate_count, 1);
    loop = loop_free(loop);
}

#ifdef VALORIZE_TURN_CHECK
static bool hook_long(struct drain *drain, uint64_t now_us) {
    (void)drain;
    (void)now_us;
    uint64_t start_us = clock_cpu_us();
    while (clock_cpu_us() - start_us < 60000)
        continue;
    loop_stop(loop);
    return false;
}

static void test_long_turn_aborts(void) {
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        ASSERT(freopen("/dev/null", "w", stderr) != NULL);
        loop = loop_new();
        struct drain hook = {.run = hook_long};
        loop_add_drain(loop, &hook);
        loop_run(loop, NULL, NULL);
        _exit(0);
    }
    int how = 0;
    ASSERT(waitpid(child, &how, 0) == child);
    EXPECT(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT);
}
#endif

int main(void) {
    static const struct test tests[] = {
        {"timers fire in the order of their due times", test_timers_fire_in_order},
        {"a timer is not early", test_timer_is_not_early},
        {"a timer set while firing waits for the next turn",
         test_timer_set_while_firing_waits_a_turn},
        {"an unwatched descriptor has no event any more", test_unwatched_descriptor_is_silent},
        {"hooks run until none has work", test_hooks_run_until_none_has_work},
        {"SIGTERM is told once, the second signal stops", test_second_signal_stops},
#ifdef VALORIZE_TURN_CHECK
        {"a debug build aborts a turn of more than 50 ms", test_long_turn_aborts},
#endif
    };
    return expect_run(tests, COUNT_OF(tests));
}

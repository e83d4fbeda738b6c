/* libuv RECIPIENT COUNT [NAME=VALUE...] SERVER: many sends at once in a libuv loop, while a timer ticks.
 *
 * One of them has a reader that fails, one waits for its reader until it is cancelled, one has a dead server. */
#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* ---- What libuv needs to know of a send. */
typedef struct send {
    smtp_engine *engine;
    uv_timer_t timer;
    uv_poll_t *poll; /* of this descriptor */
    int fd;
    void (*done)(struct send *);
} send;

static void watch(send *s);
static void freed(uv_handle_t *handle) { free(handle); }

static void go_on(send *s, int what)
{
    int code = smtp_engine_ready(s->engine, what);

    watch(s);
    if (code == SMTP_DONE) s->done(s);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    int what = (events & UV_READABLE ? SMTP_READ : 0) | (events & UV_WRITABLE ? SMTP_WRITE : 0);
    go_on(poll->data, status < 0 ? SMTP_READ : what);
}

static void on_timer(uv_timer_t *timer) { go_on(timer->data, 0); }

static void watch(send *s)
{
    int fd = smtp_engine_fd(s->engine), interest = smtp_engine_interest(s->engine);
    int64_t wait = smtp_engine_timeout(s->engine);

    if (fd != s->fd && s->poll != NULL) uv_close((uv_handle_t *)s->poll, freed);
    if (fd != s->fd && (s->poll = fd < 0 ? NULL : malloc(sizeof *s->poll)) != NULL) uv_poll_init(s->timer.loop, s->poll, fd);
    s->fd = fd;
    if (s->poll != NULL) s->poll->data = s;
    if (s->poll != NULL)
        uv_poll_start(s->poll, (interest & SMTP_READ ? UV_READABLE : 0) | (interest & SMTP_WRITE ? UV_WRITABLE : 0), on_poll);
    if (wait < 0) uv_timer_stop(&s->timer);
    else uv_timer_start(&s->timer, on_timer, (uint64_t)wait, 0);
}
/* ---- */

enum { FAILING = 1, WAITING = 2, DEAD = 3, CODES = 32 };

static int left, ticks, counts[CODES];
static smtp_cancel *cancel;

static void finished(send *s)
{
    smtp_result *result = NULL;
    int status = smtp_engine_result(s->engine, &result);

    counts[-status]++;
    smtp_result_free(result);
    smtp_engine_free(s->engine);
    uv_close((uv_handle_t *)&s->timer, NULL);
    left--;
}

static int64_t failing(void *octets, void *buffer, size_t size)
{
    size_t *given = octets;

    if (*given >= 100000) return -1;
    if (size > 64) size = 64;
    memset(buffer, 'x', size - 1);
    ((char *)buffer)[size - 1] = '\n';
    *given += size;
    return (int64_t)size;
}

static int64_t waiting(void *none, void *buffer, size_t size)
{
    (void)none, (void)buffer, (void)size;
    return SMTP_READ_AGAIN;
}

static void tick(uv_timer_t *timer)
{
    ticks++;
    if (ticks == 3) smtp_cancel_trigger(cancel);
    if (left == 0) uv_close((uv_handle_t *)timer, NULL);
}

static smtp_engine *begin(int i, smtp_message *message, const smtp_options *options)
{
    static const char body[] = "One of many at once.\n";
    static size_t given;
    smtp_options *own = smtp_options_copy(options);
    smtp_engine *engine = NULL;

    if (i == FAILING) smtp_message_set_body_reader(message, failing, NULL, &given, NULL, -1);
    else if (i == WAITING) smtp_message_set_body_reader(message, waiting, NULL, NULL, NULL, -1);
    else smtp_message_set_text(message, body, sizeof body - 1);
    if (i == WAITING) smtp_options_set_cancel(own, cancel);
    if (i == DEAD) smtp_options_set(own, "servers", "127.0.0.1:1");
    smtp_engine_new(message, own, &engine); /* where it fails the result says why */
    smtp_options_free(own);
    return engine;
}

int main(int argc, char **argv)
{
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    int count = argc > 2 ? atoi(argv[2]) : 1, i;
    send *sends = calloc((size_t)count + 1, sizeof *sends);
    uv_timer_t ticker;

    cancel = smtp_cancel_new();
    smtp_options_set(options, "recipients", argc > 1 ? argv[1] : "");
    for (i = 3; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value != NULL) *value++ = '\0';
        if (smtp_options_set(options, value != NULL ? argv[i] : "servers", value != NULL ? value : argv[i]) != SMTP_OK)
            fprintf(stderr, "%s\n", smtp_options_error(options));
    }
    uv_timer_init(uv_default_loop(), &ticker);
    uv_timer_start(&ticker, tick, 10, 10);
    for (i = 0; i < count; i++, left++) {
        sends[i].engine = begin(i, message, options);
        sends[i].fd = -1;
        sends[i].done = finished;
        uv_timer_init(uv_default_loop(), &sends[i].timer);
        sends[i].timer.data = &sends[i];
        watch(&sends[i]);
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    uv_loop_close(uv_default_loop());
    for (i = 0; i < CODES; i++) {
        if (counts[i] != 0) printf("%d %s\n", counts[i], smtp_code_name(-i));
    }
    printf("the timer ticked%s\n", ticks > 3 ? "" : " too seldom");
    free(sends);
    smtp_cancel_free(cancel);
    smtp_options_free(options);
    smtp_message_free(message);
    return 0;
}

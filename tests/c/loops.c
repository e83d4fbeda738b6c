/* Engines in an event loop, whoever has the socket. No order of calls may leave the loop asleep while there is something to do. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

static smtp_engine *sends(const smtp_message *m, const smtp_options *o)
{
    smtp_engine *e = NULL;

    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    return e;
}

/* The result, which must have this status, with this text in its error. */
static void ended(smtp_engine *e, int status, const char *text)
{
    smtp_result *r = NULL;

    CODE(smtp_engine_result(e, &r), status);
    PART(smtp_result_error(r), text);
    smtp_result_free(r);
    smtp_engine_free(e);
}

static int64_t breaks(void *user_data, void *buffer, size_t size)
{
    size_t *given = user_data;

    if (*given >= 100000) return -1;
    if (size > 1000) size = 1000;
    memset(buffer, 'x', size);
    if (size > 70) ((char *)buffer)[70] = '\n';
    *given += size;
    return (int64_t)size;
}

/* The output call may end a send of which the loop was told before that it goes on. */
static void reader_fails(void)
{
    static const char *const replies[] = {"220 s\r\n", "250 s\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"};
    smtp_message *m = mail();
    smtp_options *o = to_port(port);
    smtp_engine *e;
    const void *data;
    size_t length = 0, given = 0, i;

    smtp_message_set_body_reader(m, breaks, NULL, &given, NULL, -1);
    e = sends(m, o);
    CODE(smtp_engine_action(e), SMTP_DIAL);
    CODE(smtp_engine_connected(e, -1), SMTP_OK);
    for (i = 0; i < sizeof replies / sizeof *replies; i++) {
        CODE(smtp_engine_input(e, replies[i], strlen(replies[i])), SMTP_OK);
        CODE(smtp_engine_output(e, &data, &length), SMTP_OK);
        if (i + 1 < sizeof replies / sizeof *replies) CODE(smtp_engine_output_done(e, length), SMTP_OK);
    }
    while (length > 0) {
        CODE(smtp_engine_action(e), SMTP_EXCHANGE);
        CHECK(smtp_engine_timeout(e) != 0);
        CODE(smtp_engine_output_done(e, length), SMTP_OK);
        if (smtp_engine_action(e) != SMTP_EXCHANGE) break;
        CODE(smtp_engine_output(e, &data, &length), SMTP_OK);
    }
    CHECK(given >= 100000);
    /* Whichever call it was: the loop does not sleep before it knows. */
    CODE(smtp_engine_timeout(e), 0);
    CODE(smtp_engine_timed_out(e), SMTP_OK);
    CODE(smtp_engine_timeout(e), 0);
    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_timeout(e), -1);
    ended(e, SMTP_ERR_SOURCE, "reader");

    given = 0;
    smtp_message_set_body_reader(m, breaks, NULL, &given, NULL, -1);
    e = sends(m, o);
    CHECK(done(e));
    CHECK(given >= 100000);
    ended(e, SMTP_ERR_SOURCE, "reader");
    smtp_message_free(m);
    smtp_options_free(o);
}

static void whole_sends(void)
{
    unsigned short silent;
    int fd = listener(&silent);
    smtp_message *m = mail();
    smtp_options *o = to_port(silent);
    smtp_engine *e = sends(m, o);
    smtp_result *r = NULL;

    CODE(smtp_engine_fd(e), -1);
    CODE(smtp_engine_interest(e), 0);
    CODE(smtp_engine_timeout(e), 0);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_USAGE);
    CODE(smtp_engine_ready(e, SMTP_READ | SMTP_WRITE | 4), SMTP_ERR_USAGE);
    CODE(smtp_engine_ready(e, -1), SMTP_ERR_USAGE);
    CODE(smtp_engine_ready(e, 0), SMTP_EXCHANGE);
    CHECK(smtp_engine_fd(e) >= 0);
    CODE(smtp_engine_interest(e), SMTP_READ);
    CHECK(smtp_engine_timeout(e) != 0);
    CODE(smtp_engine_ready(e, SMTP_READ | SMTP_WRITE), SMTP_EXCHANGE); /* it need not be true */
    smtp_engine_free(e);
    smtp_options_free(o);
    close(fd);

    o = to_port(port);
    e = sends(m, o);
    CHECK(done(e));
    CODE(smtp_engine_fd(e), -1);
    CODE(smtp_engine_interest(e), 0);
    CODE(smtp_engine_timeout(e), -1);
    CODE(smtp_engine_ready(e, 0), SMTP_DONE);
    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_result(e, &r), SMTP_OK);
    PART(smtp_result_attempt_peer(r, 0), "127.0.0.1:");
    smtp_result_free(r);
    smtp_engine_free(e);

    /* What could not be begun. */
    smtp_options_set(o, "recipients", "nobody");
    CODE(smtp_engine_new(m, o, &e), SMTP_ERR_USAGE);
    CODE(smtp_engine_timeout(e), 0);
    CODE(smtp_engine_fd(e), -1);
    CODE(smtp_engine_ready(e, 0), SMTP_DONE);
    CODE(smtp_engine_timeout(e), -1);
    ended(e, SMTP_ERR_USAGE, "recipients");
    smtp_message_free(m);
    smtp_options_free(o);
}

/* Nobody answers; and the next server is another descriptor, while the one before is still open. */
static void dead_servers(void)
{
    unsigned short none;
    int fd = listener(&none), before = -1, code;
    smtp_message *m = mail();
    smtp_options *o = to_port(none);
    smtp_engine *e;

    close(fd);
    e = sends(m, o);
    CHECK(done(e));
    ended(e, SMTP_ERR_CONNECT, "127.0.0.1");

    smtp_options_add_server(o, "127.0.0.1", none);
    smtp_options_add_server(o, "127.0.0.1", port);
    e = sends(m, o);
    do {
        int now;

        code = step(e);
        now = smtp_engine_fd(e);
        if (before >= 0 && now != before) CHECK(fcntl(before, F_GETFD) >= 0);
        if (now >= 0) before = now;
    } while (code == SMTP_EXCHANGE);
    CODE(code, SMTP_DONE);
    if (before >= 0) CHECK(fcntl(before, F_GETFD) >= 0);
    ended(e, SMTP_OK, "");
    if (before >= 0) CHECK(fcntl(before, F_GETFD) < 0 && errno == EBADF);

    smtp_options_free(o);
    o = to_port(port);
    smtp_options_set(o, "servers", "unix:/nonexistent/socket");
    e = sends(m, o);
    CHECK(done(e));
    ended(e, SMTP_ERR_CONNECT, "/nonexistent/socket");
    smtp_message_free(m);
    smtp_options_free(o);
}

/* The calls that end a send, at every place. */
static void ended_early(void)
{
    unsigned short silent;
    int fd = listener(&silent), place, i;
    smtp_message *m = mail();
    smtp_options *o = to_port(silent);
    smtp_cancel *cancel = smtp_cancel_new();
    smtp_engine *e;

    for (place = 0; place < 4; place++) {
        e = sends(m, o);
        for (i = 0; i < place; i++) step(e);
        CODE(smtp_engine_abort(e, "enough"), SMTP_OK);
        CODE(smtp_engine_timeout(e), 0);
        CHECK(done(e));
        ended(e, SMTP_ERR_CANCELLED, "enough");
    }
    smtp_options_set_cancel(o, cancel);
    for (place = 0; place < 4; place++) {
        e = sends(m, o);
        for (i = 0; i < place; i++) step(e);
        smtp_cancel_trigger(cancel);
        CHECK(done(e));
        ended(e, SMTP_ERR_CANCELLED, "cancelled");
        smtp_cancel_reset(cancel);
    }
    /* The same where the socket is the program's. */
    e = sends(m, o);
    CODE(smtp_engine_action(e), SMTP_DIAL);
    CODE(smtp_engine_connected(e, -1), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_EXCHANGE);
    CHECK(smtp_engine_timeout(e) > 0);
    smtp_cancel_trigger(cancel);
    CODE(smtp_engine_timeout(e), 0);
    CODE(smtp_engine_timed_out(e), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_DONE);
    ended(e, SMTP_ERR_CANCELLED, "cancelled");
    smtp_options_set_cancel(o, NULL);
    smtp_cancel_free(cancel);

    smtp_options_set(o, "timeout", "0.1");
    e = sends(m, o);
    CHECK(done(e));
    ended(e, SMTP_ERR_TIMEOUT, "greeting");
    smtp_options_set(o, "timeout", "60");
    smtp_options_set(o, "deadline", "0.1");
    e = sends(m, o);
    CHECK(done(e));
    ended(e, SMTP_ERR_TIMEOUT, "deadline");
    close(fd);
    smtp_message_free(m);
    smtp_options_free(o);
}

static int late[2], gone[2];

static int blocks(void *user_data, const char *host, int its_port, int64_t timeout, char *why, size_t size)
{
    char octet;

    (void)user_data, (void)host, (void)its_port, (void)timeout;
    CHECK(read(late[0], &octet, 1) == 0);
    snprintf(why, size, "too late");
    return -1;
}

static void blocks_no_more(void *user_data)
{
    (void)user_data;
    CHECK(write(gone[1], "x", 1) == 1);
}

/* A function that does not keep to its time is left behind at the deadline, and the loop sleeps until then. */
static void late_dialler(void)
{
    smtp_message *m = mail();
    smtp_options *o = to_port(port);
    smtp_engine *e;
    int steps = 1;
    char octet;

    CODE(pipe(late), 0);
    CODE(pipe(gone), 0);
    CODE(smtp_options_set_dialler(o, blocks, NULL, blocks_no_more), SMTP_OK);
    smtp_options_set(o, "deadline", "0.1");
    e = sends(m, o);
    while (step(e) == SMTP_EXCHANGE) steps++;
    CHECK(steps < 10);
    ended(e, SMTP_ERR_TIMEOUT, "deadline");
    smtp_message_free(m);
    smtp_options_free(o);
    close(late[1]);
    CHECK(read(gone[0], &octet, 1) == 1); /* its thread is done with it */
    close(late[0]);
    close(gone[0]);
    close(gone[1]);
}

/* One socket has one owner. */
static void mixed(void)
{
    smtp_message *m = mail();
    smtp_options *o = to_port(port);
    smtp_engine *e = sends(m, o);
    const void *data;
    size_t length;

    TEXT(smtp_engine_host(e), "127.0.0.1"); /* printing it does no harm */
    CODE(smtp_engine_input(e, "x", 1), SMTP_ERR_USAGE); /* nor is what was refused */
    CHECK(smtp_engine_ready(e, 0) > 0);
    CODE(smtp_engine_connected(e, -1), SMTP_ERR_USAGE);
    CODE(smtp_engine_connect_failed(e, NULL), SMTP_ERR_USAGE);
    CODE(smtp_engine_timed_out(e), SMTP_ERR_USAGE);
    while (smtp_engine_action(e) == SMTP_DIAL) step(e);
    CODE(smtp_engine_output(e, &data, &length), SMTP_ERR_USAGE);
    CODE(smtp_engine_output_done(e, 0), SMTP_ERR_USAGE);
    CODE(smtp_engine_input(e, "220 x\r\n", 7), SMTP_ERR_USAGE);
    CODE(smtp_engine_eof(e), SMTP_ERR_USAGE);
    CODE(smtp_engine_failed(e, NULL), SMTP_ERR_USAGE);
    if (smtp_engine_action(e) != SMTP_DONE) CHECK(done(e));
    ended(e, SMTP_OK, "");

    e = sends(m, o);
    CODE(smtp_engine_connected(e, -1), SMTP_OK);
    CODE(smtp_engine_ready(e, 0), SMTP_ERR_USAGE);
    CODE(smtp_engine_fd(e), -1);
    CODE(smtp_engine_interest(e), 0);
    CODE(smtp_engine_abort(e, NULL), SMTP_OK);
    CODE(smtp_engine_ready(e, 0), SMTP_ERR_USAGE);
    smtp_engine_free(e);

    /* Asked for a place to connect to, and told of it: the time is that of connecting, whatever is asked meanwhile. */
    CODE(smtp_engine_new_session("127.0.0.1", port, o, &e), SMTP_OK);
    CODE(smtp_engine_timeout(e), 0);
    CODE(smtp_engine_action(e), SMTP_DIAL);
    TEXT(smtp_engine_host(e), "127.0.0.1");
    CHECK(smtp_engine_timeout(e) > 1000);
    CHECK(smtp_engine_ask_command(e, "NOOP") > 0);
    CHECK(smtp_engine_timeout(e) > 1000);
    smtp_engine_free(e);
    smtp_message_free(m);
    smtp_options_free(o);
}

typedef struct {
    int calls;
    smtp_engine *engine;
    int busy;
} pauses;

static int64_t read_with_pauses(void *user_data, void *buffer, size_t size)
{
    pauses *p = user_data;

    (void)size;
    if (p->calls == 44) return 0;
    p->busy += smtp_engine_ready(p->engine, 0) == SMTP_ERR_BUSY;
    p->busy += smtp_engine_fd(p->engine) == -1;
    if (p->calls++ % 11 != 10) return SMTP_READ_AGAIN; /* it may be asked several times a turn */
    memcpy(buffer, "a line\n", 7);
    return 7;
}

static void reader_pauses(void)
{
    smtp_message *m = mail();
    smtp_options *o = to_port(port);
    pauses p = {0, NULL, 0};
    smtp_engine *e;
    int code = SMTP_EXCHANGE, waits = 0;

    smtp_message_set_body_reader(m, read_with_pauses, NULL, &p, NULL, -1);
    p.engine = e = sends(m, o);
    while (code == SMTP_EXCHANGE) {
        if (smtp_engine_waits_for_reader(e)) {
            waits++;
            code = smtp_engine_ready(e, 0);
        } else {
            code = step(e);
        }
    }
    CODE(code, SMTP_DONE);
    CODE(p.calls, 44);
    CODE(p.busy, 88);
    CHECK(waits > 0);
    ended(e, SMTP_OK, "");
    smtp_message_free(m);
    smtp_options_free(o);
}

static void sessions(void)
{
    unsigned short silent;
    int fd;
    smtp_message *m = mail();
    smtp_options *o = to_port(port);
    smtp_engine *e = NULL;
    int64_t ticket = 7, noop;

    CODE(smtp_engine_new_session("127.0.0.1", port, o, &e), SMTP_OK);
    noop = smtp_engine_ask_command(e, "NOOP"); /* before there is a connection */
    CHECK(noop > 0);
    CODE(answered(e), 0);
    CODE(smtp_engine_answer_code(e), 220);
    CHECK(answered(e) == noop);
    CODE(smtp_engine_answer_code(e), 250);
    CHECK(smtp_engine_timeout(e) < 0); /* idle */
    CHECK(smtp_engine_ask_sendmessage(e, m, o) > 0);
    CODE(smtp_engine_timeout(e), 0);
    CHECK(answered(e) > 0);
    CODE(smtp_engine_answer_status(e), SMTP_OK);
    CODE(smtp_engine_part(e), SMTP_OK);
    CODE(smtp_engine_timeout(e), 0);
    CHECK(done(e));
    /* Over: what is asked is answered all the same. */
    noop = smtp_engine_ask_command(e, "NOOP");
    CHECK(noop > 0);
    CODE(smtp_engine_timeout(e), 0);
    CODE(smtp_engine_ready(e, 0), SMTP_DONE);
    CODE(smtp_engine_answer(e, &ticket), 1);
    CHECK(ticket == noop);
    CODE(smtp_engine_answer_status(e), SMTP_ERR_CLOSED);
    smtp_engine_free(e);

    /* Given up before it was greeted. */
    fd = listener(&silent);
    CODE(smtp_engine_new_session("127.0.0.1", silent, o, &e), SMTP_OK);
    noop = smtp_engine_ask_command(e, "NOOP");
    CODE(smtp_engine_ready(e, 0), SMTP_EXCHANGE);
    CODE(smtp_engine_part(e), SMTP_OK);
    CHECK(done(e));
    CODE(smtp_engine_answer(e, &ticket), 1);
    CODE(ticket, 0);
    CODE(smtp_engine_answer(e, &ticket), 1);
    CHECK(ticket == noop);
    CHECK(smtp_engine_answer_status(e) < 0);
    smtp_engine_free(e);
    close(fd);
    smtp_message_free(m);
    smtp_options_free(o);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    reader_fails();
    whole_sends();
    dead_servers();
    ended_early();
    late_dialler();
    mixed();
    reader_pauses();
    sessions();
    return summary();
}

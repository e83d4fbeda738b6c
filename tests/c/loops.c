/* loops PORT: engines in an event loop, whoever has the socket. No order of calls may leave the loop asleep while there is
 * something to do. And sessions whose server speaks while they are idle.
 *
 * PORT is a `scripted-server sink`. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HANGS 20000 /* whoever sleeps for so long, in ms, was not told of something */

static unsigned short port;

static smtp_message *mail(void)
{
    smtp_message *m = smtp_message_new();

    smtp_message_set_text(m, "Hello.\n", 7);
    smtp_message_set_header(m, "From", "alice@a.example");
    smtp_message_set_header(m, "To", "bob@b.example");
    return m;
}

static smtp_options *to(unsigned short its_port)
{
    smtp_options *o = smtp_options_new();

    smtp_options_add_server(o, "127.0.0.1", its_port);
    smtp_options_set(o, "client", "client.example");
    return o;
}

static smtp_engine *sends(const smtp_message *m, const smtp_options *o)
{
    smtp_engine *e = NULL;

    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    return e;
}

/* A socket that listens, and its port. */
static int listener(unsigned short *its_port)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 8) != 0) perror("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    *its_port = ntohs(address.sin_port);
    return fd;
}

/* One step of a loop: sleeps until there is something to do, and does it. Gives what ready() gives; 0 where nothing woke it. */
static int step(smtp_engine *e)
{
    int64_t wait = smtp_engine_timeout(e);
    struct pollfd p;
    int interest = smtp_engine_interest(e), what = 0, n;

    p.fd = smtp_engine_fd(e);
    p.events = (short)((interest & SMTP_READ ? POLLIN : 0) | (interest & SMTP_WRITE ? POLLOUT : 0));
    p.revents = 0;
    n = poll(&p, 1, wait < 0 || wait > HANGS ? HANGS : (int)wait);
    if (n == 0 && (wait < 0 || wait > HANGS)) return 0;
    if (p.revents & (POLLIN | POLLHUP | POLLERR)) what |= SMTP_READ;
    if (p.revents & POLLOUT) what |= SMTP_WRITE;
    CHECK((p.revents & POLLNVAL) == 0);
    return smtp_engine_ready(e, what);
}

/* Runs until it is done: 1, or hangs: 0. */
static int done(smtp_engine *e)
{
    int code;

    while ((code = step(e)) == SMTP_EXCHANGE) continue;
    return code == SMTP_DONE;
}

/* Runs until an answer is there, and gives its ticket; -1 where there will be none. */
static int64_t answered(smtp_engine *e)
{
    int64_t ticket = -1;
    int code = SMTP_EXCHANGE;

    while (smtp_engine_answer(e, &ticket) == 0) {
        if (code != SMTP_EXCHANGE) return -1;
        code = step(e);
    }
    return ticket;
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
    smtp_options *o = to(port);
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
    smtp_options *o = to(silent);
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

    o = to(port);
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
    smtp_options *o = to(none);
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
    o = to(port);
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
    smtp_options *o = to(silent);
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

/* One socket has one owner. */
static void mixed(void)
{
    smtp_message *m = mail();
    smtp_options *o = to(port);
    smtp_engine *e = sends(m, o);
    const void *data;
    size_t length;

    TEXT(smtp_engine_host(e), "127.0.0.1"); /* to print it is no harm */
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
    smtp_options *o = to(port);
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
    smtp_options *o = to(port);
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

/* A server that says something while nobody asked it anything. */
typedef struct {
    int fd;
    const char *words;
    sem_t go, said;
    int mails; /* MAIL that it heard */
} speaker;

static int line(int fd, char *into, size_t size)
{
    size_t n = 0;

    while (n + 1 < size && recv(fd, into + n, 1, 0) == 1) {
        if (into[n++] == '\n') break;
    }
    into[n] = '\0';
    return n > 0;
}

static void *speak(void *data)
{
    static const struct timespec moment = {0, 1000000};
    static const char greeting[] = "220 s.example\r\n", ok[] = "250 s.example\r\n";
    speaker *s = data;
    int fd = accept(s->fd, NULL, NULL), left = 0;
    char text[1000];

    send(fd, greeting, sizeof greeting - 1, MSG_NOSIGNAL);
    line(fd, text, sizeof text); /* EHLO */
    send(fd, ok, sizeof ok - 1, MSG_NOSIGNAL);
    sem_wait(&s->go);
    send(fd, s->words, strlen(s->words), MSG_NOSIGNAL);
    while (ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0) nanosleep(&moment, NULL); /* until the other end has it */
    sem_post(&s->said);
    while (line(fd, text, sizeof text)) {
        s->mails += strncmp(text, "MAIL", 4) == 0;
        send(fd, ok, sizeof ok - 1, MSG_NOSIGNAL);
    }
    close(fd);
    return NULL;
}

static const struct {
    const char *words, *heard;
    int status;
} unasked[] = {
    {"451 4.4.2 Timeout waiting for data from client.\r\n", "Timeout waiting for data from client.", SMTP_ERR_CLOSED},
    {"421 4.4.2 bye\r\n", "bye", SMTP_ERR_CLOSED},
    {"554 5.7.1 go away\r\n", "go away", SMTP_ERR_CLOSED},
    {"250 2.0.0 stray\r\n", "stray", SMTP_ERR_PROTOCOL},
    {"235 2.7.0 stray\r\n", "stray", SMTP_ERR_PROTOCOL},
    {"nonsense\r\n", "", SMTP_ERR_PROTOCOL},
};

static void not_sent(const smtp_result *r, size_t i)
{
    CODE(smtp_result_status(r), unasked[i].status);
    CODE(smtp_result_error_transient(r), 1);
    PART(smtp_result_error(r), unasked[i].heard);
    CODE(smtp_result_recipient_count(r), 1);
    CODE(smtp_result_recipient_outcome(r, 0), SMTP_NOT_SENT);
}

/* Idle by now, the server has spoken, and what it said has arrived. */
static void spoken(speaker *s)
{
    sem_post(&s->go);
    sem_wait(&s->said);
}

static void spoken_to(size_t i, int watched)
{
    smtp_message *m = mail();
    smtp_options *o;
    smtp_result *r = NULL;
    speaker s;
    pthread_t thread;
    unsigned short its_port;

    memset(&s, 0, sizeof s);
    s.fd = listener(&its_port);
    s.words = unasked[i].words;
    sem_init(&s.go, 0, 0);
    sem_init(&s.said, 0, 0);
    CODE(pthread_create(&thread, NULL, speak, &s), 0);
    o = to(its_port);
    if (watched) {
        smtp_engine *e = NULL;

        CODE(smtp_engine_new_session("127.0.0.1", its_port, o, &e), SMTP_OK);
        CODE(answered(e), 0);
        CHECK(smtp_engine_ask_introduce(e) > 0);
        CHECK(answered(e) > 0);
        CODE(smtp_engine_answer_status(e), SMTP_OK);
        spoken(&s);
        CHECK(smtp_engine_ask_sendmessage(e, m, o) > 0); /* before the loop saw it */
        CHECK(answered(e) > 0);
        CODE(smtp_engine_answer_result(e, &r), unasked[i].status);
        not_sent(r, i);
        smtp_engine_free(e);
    } else {
        smtp_session *session = NULL;

        CODE(smtp_session_open("127.0.0.1", its_port, o, &session), SMTP_OK);
        CODE(smtp_session_ehlo(session, NULL), 250);
        spoken(&s);
        CODE(smtp_session_sendmessage(session, m, o, &r), unasked[i].status);
        not_sent(r, i);
        CODE(smtp_session_is_open(session), 0);
        smtp_session_close(session);
    }
    smtp_result_free(r);
    pthread_join(thread, NULL);
    CODE(s.mails, 0);
    close(s.fd);
    sem_destroy(&s.go);
    sem_destroy(&s.said);
    smtp_message_free(m);
    smtp_options_free(o);
}

static void unasked_words(void)
{
    size_t i;

    for (i = 0; i < sizeof unasked / sizeof *unasked; i++) {
        spoken_to(i, 0);
        spoken_to(i, 1);
    }
}

static int readable(int fd, int wait)
{
    struct pollfd p;

    p.fd = fd;
    p.events = POLLIN;
    p.revents = 0;
    return poll(&p, 1, wait) == 1;
}

/* The mailer's descriptor is readable while results wait. */
static void mailers(void)
{
    smtp_message *m = mail();
    smtp_options *o = to(port);
    smtp_mailer *mailer = NULL;
    int64_t ticket;
    int fd = -1, taken = 0, round;

    CODE(smtp_mailer_new(o, &mailer, NULL), SMTP_OK);
    for (round = 0; round < 2; round++) {
        smtp_result *r = NULL;

        if (round == 0) { /* asked for late, it knows what waits */
            CODE(smtp_mailer_submit(mailer, m, NULL, NULL), 1);
            CODE(smtp_mailer_drain(mailer, HANGS), 1);
            fd = smtp_mailer_fd(mailer);
            CHECK(fd >= 0);
            CHECK(readable(fd, 0));
        } else {
            CODE(smtp_mailer_fd(mailer), fd);
            CODE(smtp_mailer_submit(mailer, m, NULL, NULL), 2);
            CODE(smtp_mailer_submit(mailer, m, NULL, NULL), 3);
        }
        while (taken < 1 + 2 * round) {
            CHECK(readable(fd, HANGS));
            while (smtp_mailer_next(mailer, 0, &ticket, &r) == 1) {
                CODE(smtp_result_status(r), SMTP_OK);
                smtp_result_free(r);
                taken++;
            }
        }
        CHECK(!readable(fd, 0));
    }
    smtp_mailer_free(mailer);
    smtp_message_free(m);
    smtp_options_free(o);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "loops PORT\n");
        return 2;
    }
    port = (unsigned short)atoi(argv[1]);
    reader_fails();
    whole_sends();
    dead_servers();
    ended_early();
    mixed();
    reader_pauses();
    sessions();
    unasked_words();
    mailers();
    return summary();
}

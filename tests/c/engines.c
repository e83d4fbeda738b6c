/* Every function about engines, each also with NULL for every pointer. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"
#include <sys/socket.h>

#include <unistd.h>

/* A whole send with blocking calls; loops.c has loops. */
static void engines(void)
{
    smtp_message *m = mail_to(ONE_REFUSED);
    smtp_options *o = to_sink();
    smtp_engine *e = NULL;
    smtp_result *r;
    const void *data;
    size_t length;
    char buffer[4096];
    int fd;

    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_DIAL);
    TEXT(smtp_engine_host(e), "127.0.0.1");
    CODE(smtp_engine_port(e), port);
    CHECK(smtp_engine_timeout(e) > 1000);
    CODE(smtp_engine_timed_out(e), SMTP_OK); /* not yet: nothing happens */
    CODE(smtp_engine_result(e, &r), SMTP_ERR_USAGE);
    CHECK(r == NULL);
    CODE(smtp_engine_input(e, "x", 1), SMTP_ERR_USAGE);
    CODE(smtp_engine_output(e, &data, &length), SMTP_ERR_USAGE);
    CODE(smtp_engine_eof(e), SMTP_ERR_USAGE);
    CODE(smtp_engine_failed(e, NULL), SMTP_ERR_USAGE);
    fd = connected();
    CODE(smtp_engine_connected(e, fd), SMTP_OK);
    CODE(smtp_engine_connected(e, -1), SMTP_ERR_USAGE);
    CODE(smtp_engine_connect_failed(e, "x"), SMTP_ERR_USAGE);
    while (smtp_engine_action(e) == SMTP_EXCHANGE) {
        smtp_engine_output(e, &data, &length);
        if (length > 0) {
            ssize_t n = send(fd, data, length, 0);
            CODE(smtp_engine_output_done(e, (size_t)n), SMTP_OK);
        } else {
            ssize_t n = recv(fd, buffer, sizeof buffer, 0);
            if (n > 0) smtp_engine_input(e, buffer, (size_t)n);
            else smtp_engine_eof(e);
        }
        CODE(smtp_engine_waits_for_reader(e), 0);
    }
    close(fd);
    CODE(smtp_engine_timeout(e), -1);
    CODE(smtp_engine_output_done(e, 1), SMTP_ERR_USAGE);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_RECIPIENTS);
    PART(smtp_result_attempt_peer(r, 0), "127.0.0.1:");
    smtp_result_free(r);
    smtp_engine_free(e);

    CODE(smtp_engine_new(m, NULL, &e), SMTP_OK);
    CODE(smtp_engine_connect_failed(e, "no route"), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_CONNECT);
    PART(smtp_result_error(r), "no route");
    smtp_result_free(r);
    smtp_engine_free(e);

    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    CODE(smtp_engine_connected(e, -1), SMTP_OK);
    CODE(smtp_engine_failed(e, "cable cut"), SMTP_OK);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_CLOSED);
    PART(smtp_result_error(r), "cable cut");
    smtp_result_free(r);
    smtp_engine_free(e);

    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    CODE(smtp_engine_abort(e, "enough"), SMTP_OK);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_CANCELLED);
    PART(smtp_result_error(r), "enough");
    smtp_result_free(r);
    smtp_engine_free(e);

    CODE(smtp_options_set(o, "proxy", "ftp://127.0.0.1:1"), SMTP_ERR_USAGE);
    PART(smtp_options_error(o), "option proxy");
    CODE(smtp_options_set(o, "originator", "no address"), SMTP_OK);
    CODE(smtp_engine_new(m, o, &e), SMTP_ERR_USAGE);
    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_abort(e, NULL), SMTP_ERR_USAGE);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_USAGE);
    PART(smtp_result_error(r), "originator");
    smtp_result_free(r);
    CODE(smtp_engine_result(e, NULL), SMTP_ERR_NULL);
    smtp_engine_free(e);

    CODE(smtp_engine_new(NULL, o, &e), SMTP_ERR_NULL);
    CHECK(e == NULL);
    CODE(smtp_engine_new(m, o, NULL), SMTP_ERR_NULL);
    smtp_engine_free(NULL);
    CODE(smtp_engine_action(NULL), SMTP_ERR_NULL);
    EMPTY(smtp_engine_host(NULL));
    CODE(smtp_engine_port(NULL), 0);
    CODE(smtp_engine_connected(NULL, -1), SMTP_ERR_NULL);
    CODE(smtp_engine_connect_failed(NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_output(NULL, &data, &length), SMTP_ERR_NULL);
    CODE(smtp_engine_output_done(NULL, 0), SMTP_ERR_NULL);
    CODE(smtp_engine_input(NULL, "a", 1), SMTP_ERR_NULL);
    CODE(smtp_engine_eof(NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_failed(NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_timeout(NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_timed_out(NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_waits_for_reader(NULL), 0);
    CODE(smtp_engine_abort(NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_fd(NULL), -1);
    CODE(smtp_engine_interest(NULL), 0);
    CODE(smtp_engine_ready(NULL, 0), SMTP_ERR_NULL);
    CODE(smtp_mailer_fd(NULL), -1);
    CODE(smtp_engine_result(NULL, &r), SMTP_ERR_NULL);
    CODE(smtp_engine_new(m, NULL, &e), SMTP_OK);
    smtp_engine_connected(e, -1);
    CODE(smtp_engine_output(e, NULL, &length), SMTP_ERR_NULL);
    CODE(smtp_engine_output(e, &data, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_input(e, NULL, 1), SMTP_ERR_NULL);
    smtp_engine_free(e);
    smtp_options_free(o);
    smtp_message_free(m);
}

/* Moves octets until there is an answer, and gives its ticket; -1 where the engine is done without one. */
static int64_t answered_over(smtp_engine *e, int fd)
{
    const void *data;
    size_t length;
    char buffer[4096];
    int64_t ticket = -1;

    while (smtp_engine_answer(e, &ticket) == 0) {
        if (smtp_engine_action(e) != SMTP_EXCHANGE) return -1;
        smtp_engine_output(e, &data, &length);
        if (length > 0) {
            smtp_engine_output_done(e, (size_t)send(fd, data, length, 0));
        } else {
            ssize_t n = recv(fd, buffer, sizeof buffer, 0);
            if (n > 0) smtp_engine_input(e, buffer, (size_t)n);
            else smtp_engine_eof(e);
        }
    }
    return ticket;
}

/* What the release function of a transcript, which runs while its options are busy, asks an engine for. */
static smtp_options *while_busy;
static smtp_engine *busy_with;
static smtp_message *busy_message;
static size_t busy_heard;
static int64_t busy_answer;

static void ask_while_busy(void *user_data)
{
    smtp_engine *e;
    smtp_session *s;

    (void)user_data;
    busy_answer = smtp_engine_ask_sendmessage(busy_with, busy_message, while_busy);
    CODE(smtp_engine_new(busy_message, while_busy, &e), SMTP_ERR_BUSY);
    CHECK(e == NULL);
    CODE(smtp_engine_new_session("a.example", 25, while_busy, &e), SMTP_ERR_BUSY);
    CODE(smtp_session_open("127.0.0.1", 1, while_busy, &s), SMTP_ERR_BUSY);
    CHECK(s == NULL);
    CODE(smtp_options_set(while_busy, "debug", "1"), SMTP_ERR_BUSY);
}

/* A session for event loops, with blocking calls. */
static void talks(void)
{
    smtp_message *m = mail_to(ONE_REFUSED);
    smtp_options *o = to_sink();
    smtp_engine *e = NULL;
    smtp_result *r;
    int64_t ticket = 7, first;
    int fd;

    CODE(smtp_engine_new_session("127.0.0.1", port, o, &e), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_DIAL);
    TEXT(smtp_engine_host(e), "127.0.0.1");
    CODE(smtp_engine_answer(e, &ticket), 0);
    fd = connected();
    CODE(smtp_engine_connected(e, fd), SMTP_OK);
    CODE(answered_over(e, fd), 0);
    CODE(smtp_engine_answer_code(e), 220);
    CODE(smtp_engine_answer_status(e), SMTP_OK);
    CODE(smtp_engine_answer_result(e, &r), SMTP_ERR_USAGE);
    first = smtp_engine_ask_ehlo(e, "c.example");
    CHECK(first > 0);
    CHECK(smtp_engine_ask_mail(e, "<a@c.example>", NULL) == first + 1);
    CHECK(smtp_engine_ask_rcpt(e, "no@d.example", NULL) == first + 2);
    CHECK(smtp_engine_ask_rcpt(e, "yes@d.example", NULL) == first + 3);
    CHECK(smtp_engine_ask_data(e, "Subject: x\n\nHi\n", 15) == first + 4);
    CHECK(answered_over(e, fd) == first);
    CHECK(strstr(smtp_engine_extensions(e), "SIZE 10000000") != NULL);
    EMPTY(smtp_engine_auth_types(e));
    CHECK(answered_over(e, fd) == first + 1);
    CODE(smtp_engine_answer_code(e), 250);
    CHECK(answered_over(e, fd) == first + 2);
    CODE(smtp_engine_answer_code(e), 550);
    TEXT(smtp_engine_answer_enhanced(e), "5.1.1");
    PART(smtp_engine_answer_text(e), "No such user");
    EMPTY(smtp_engine_answer_error(e));
    CHECK(answered_over(e, fd) == first + 3);
    CHECK(answered_over(e, fd) == first + 4);
    CODE(smtp_engine_answer_code(e), 250);
    CODE(smtp_engine_answer_result(e, NULL), SMTP_ERR_NULL);
    smtp_engine_answer_result(e, &r);
    CODE(smtp_result_reply_code(r), 250);
    smtp_result_free(r);
    CHECK(smtp_engine_ask_introduce(e) > 0);
    CHECK(answered_over(e, fd) > 0);
    CODE(smtp_engine_answer_status(e), SMTP_OK);
    while_busy = o;
    busy_with = e;
    busy_message = m;
    smtp_options_set_transcript(o, on_line, &busy_heard, ask_while_busy);
    smtp_options_set_transcript(o, NULL, NULL, NULL);
    CODE(busy_answer, SMTP_ERR_BUSY);
    CHECK(smtp_engine_ask_sendmessage(e, m, o) > 0);
    CHECK(answered_over(e, fd) > 0);
    CODE(smtp_engine_answer_status(e), SMTP_ERR_RECIPIENTS);
    CODE(smtp_engine_answer_result(e, &r), SMTP_ERR_RECIPIENTS);
    smtp_result_free(r);
    CODE(smtp_engine_ask_mail(e, "a b\n", NULL), SMTP_ERR_USAGE);
    CODE(smtp_engine_ask_rcpt(e, "a\r\nQUIT", NULL), SMTP_ERR_USAGE);
    CODE(smtp_engine_ask_command(e, "STARTTLS"), SMTP_ERR_USAGE);
    CODE(smtp_engine_ask_helo(e, "a b"), SMTP_ERR_USAGE);
    CODE(smtp_engine_ask_lhlo(e, "a b"), SMTP_ERR_USAGE);
    PART(smtp_engine_ask_error(e), "a b");
    CHECK(smtp_engine_ask_login(e, "u", "p", SMTP_AUTH_PLAIN) > 0);
    CHECK(answered_over(e, fd) > 0);
    CHECK(smtp_engine_answer_status(e) < 0);
    PART(smtp_engine_answer_error(e), "127.0.0.1");
    if (smtp_engine_ask_starttls(e) > 0) {
        CHECK(answered_over(e, fd) > 0);
    }
    CHECK(smtp_engine_ask_quit(e) > 0);
    CHECK(answered_over(e, fd) > 0);
    CHECK(answered_over(e, fd) == -1);
    CODE(smtp_engine_action(e), SMTP_DONE);
    smtp_engine_free(e);
    close(fd);

    CODE(smtp_engine_new_session("127.0.0.1", port, NULL, &e), SMTP_OK);
    fd = connected();
    smtp_engine_connected(e, fd);
    CODE(answered_over(e, fd), 0);
    CODE(smtp_engine_part(e), SMTP_OK);
    CHECK(answered_over(e, fd) == -1);
    smtp_engine_free(e);
    close(fd);

    CODE(smtp_engine_new_session("127.0.0.1", port, NULL, &e), SMTP_OK);
    CODE(smtp_engine_connect_failed(e, "no route"), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_answer(e, &ticket), 1);
    CODE(ticket, 0);
    CODE(smtp_engine_answer_status(e), SMTP_ERR_CONNECT);
    PART(smtp_engine_answer_error(e), "no route");
    CHECK(smtp_engine_ask_introduce(e) > 0);
    CODE(smtp_engine_answer(e, &ticket), 1);
    CODE(smtp_engine_answer_status(e), SMTP_ERR_CONNECT);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_USAGE);
    smtp_engine_free(e);

    CODE(smtp_engine_new_session("", 0, NULL, &e), SMTP_ERR_USAGE);
    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_USAGE);
    smtp_result_free(r);
    smtp_engine_free(e);
    CODE(smtp_engine_new_session(NULL, 0, NULL, &e), SMTP_ERR_NULL);
    CODE(smtp_engine_new_session("a", 0, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_ask_introduce(NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_answer(NULL, &ticket), SMTP_ERR_NULL);
    CODE(smtp_engine_answer(NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_part(NULL), SMTP_ERR_NULL);
    EMPTY(smtp_engine_answer_text(NULL));
    smtp_options_free(o);
    smtp_message_free(m);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    engines();
    talks();
    return summary();
}

/* The client of `scripted-server unasked`: [watched] PORT SENDS PAUSE. Over a blocking session, or over an engine that
 * poll(2) watches. */
#define _DEFAULT_SOURCE
#include <libsmtp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void sleeps(long milliseconds)
{
    struct timespec time;

    time.tv_sec = milliseconds / 1000;
    time.tv_nsec = milliseconds % 1000 * 1000000;
    nanosleep(&time, NULL);
}

static smtp_message *message_of(int n)
{
    smtp_message *message = smtp_message_new();
    char text[200];
    int length = snprintf(text, sizeof text, "From: s%d@c.example\nTo: b@s.example\nDate: x\nMessage-ID: <%d@c>\n\nHello.\n", n, n);

    smtp_message_set_message(message, text, (size_t)length);
    return message;
}

static void tell(const smtp_result *result)
{
    int outcome = smtp_result_recipient_count(result) > 0 ? smtp_result_recipient_outcome(result, 0) : SMTP_NOT_SENT;

    puts(smtp_outcome_name(outcome));
    fflush(stdout);
}

static int turn(smtp_engine *e)
{
    int64_t wait = smtp_engine_timeout(e);
    int interest = smtp_engine_interest(e);
    struct pollfd p;

    p.fd = smtp_engine_fd(e);
    p.events = (short)((interest & SMTP_READ ? POLLIN : 0) | (interest & SMTP_WRITE ? POLLOUT : 0));
    p.revents = 0;
    poll(&p, 1, (int)wait);
    return smtp_engine_ready(e, (p.revents & ~POLLOUT ? SMTP_READ : 0) | (p.revents & POLLOUT ? SMTP_WRITE : 0));
}

static void watched(const char *host, int port, const smtp_options *options, int sends, long pause)
{
    smtp_engine *e = NULL;
    int n;

    smtp_engine_new_session(host, port, options, &e);
    for (n = 0; n < sends; n++) {
        smtp_message *message = message_of(n);
        smtp_result *result = NULL;
        int64_t asked = smtp_engine_ask_sendmessage(e, message, NULL), ticket = -1;

        while (asked > 0 && ticket != asked) {
            while (smtp_engine_answer(e, &ticket) == 0 && turn(e) == SMTP_EXCHANGE) continue;
            if (ticket != asked && smtp_engine_ready(e, 0) == SMTP_DONE && smtp_engine_answer(e, &ticket) == 0) break;
        }
        if (ticket == asked) smtp_engine_answer_result(e, &result);
        tell(result);
        smtp_result_free(result);
        smtp_message_free(message);
        sleeps(pause); /* the program is busy elsewhere, and watches nothing */
    }
    smtp_engine_part(e);
    while (turn(e) == SMTP_EXCHANGE) continue;
    smtp_engine_free(e);
}

static void blocking(const char *host, int port, const smtp_options *options, int sends, long pause)
{
    smtp_session *session = NULL;
    int n;

    smtp_session_open(host, port, options, &session);
    for (n = 0; n < sends; n++) {
        smtp_message *message = message_of(n);
        smtp_result *result = NULL;

        smtp_session_sendmessage(session, message, NULL, &result);
        tell(result);
        smtp_result_free(result);
        smtp_message_free(message);
        sleeps(pause);
    }
    smtp_session_close(session);
}

int main(int argc, char **argv)
{
    smtp_options *options = smtp_options_new();

    if (argc < 4) return EXIT_FAILURE;
    smtp_options_set(options, "client", "c.example");
    smtp_options_set(options, "timeout", "5");
    smtp_options_set(options, "usetls", "0");
    (strcmp(argv[1], "watched") == 0 ? watched : blocking)("127.0.0.1", atoi(argv[argc - 3]), options, atoi(argv[argc - 2]),
        atol(argv[argc - 1]));
    smtp_options_free(options);
    return EXIT_SUCCESS;
}

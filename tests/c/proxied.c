/* proxied: engines with option proxy, which needs no server: the octets are those of this file. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"
#include <time.h>

static smtp_message *message;
static smtp_options *options;

/* What the engine says next; it is taken. */
static void says(smtp_engine *e, const char *expected, size_t length)
{
    const void *data = NULL;
    size_t count = 0;

    CODE(smtp_engine_action(e), SMTP_EXCHANGE);
    CODE(smtp_engine_output(e, &data, &count), SMTP_OK);
    CODE(count, length);
    CHECK(count == length && memcmp(data, expected, length) == 0);
    CODE(smtp_engine_output_done(e, count), SMTP_OK);
    if (smtp_engine_action(e) != SMTP_EXCHANGE) return;
    CODE(smtp_engine_output(e, &data, &count), SMTP_OK);
    CODE(count, 0);
}

#define SAYS(engine, text) says(engine, text, sizeof(text) - 1)
#define HEARS(engine, text) CODE(smtp_engine_input(engine, text, sizeof(text) - 1), SMTP_OK)
#define ASK "\5\1\0\3\014mail.example\0\031"

static smtp_engine *begun(const char *proxy)
{
    smtp_engine *e = NULL;

    CODE(smtp_options_set(options, "proxy", proxy), SMTP_OK);
    CODE(smtp_engine_new(message, options, &e), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_DIAL);
    return e;
}

/* The server has failed like this. */
static void ended(smtp_engine *e, int status, const char *text)
{
    smtp_result *r = NULL;

    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_result(e, &r), status);
    PART(smtp_result_error(r), text);
    TEXT(smtp_result_attempt_server(r, 0), "mail.example:25");
    smtp_result_free(r);
    smtp_engine_free(e);
}

static void sends(void)
{
    smtp_engine *e = begun("socks5://[::1]:1081");
    smtp_result *r = NULL;

    TEXT(smtp_engine_host(e), "::1");
    CODE(smtp_engine_port(e), 1081);
    CODE(smtp_engine_connected(e, -1), SMTP_OK);
    CODE(smtp_engine_connected(e, -1), SMTP_ERR_USAGE);
    CODE(smtp_engine_connect_failed(e, NULL), SMTP_ERR_USAGE);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_USAGE);
    CODE(smtp_engine_timed_out(e), SMTP_OK); /* not yet */
    CODE(smtp_engine_timeout(e), 0); /* nobody has asked what is to be done now */
    CODE(smtp_engine_action(e), SMTP_EXCHANGE);
    CHECK(smtp_engine_timeout(e) > 1000 && smtp_engine_timeout(e) <= 30000);
    CODE(smtp_engine_waits_for_reader(e), 0);
    SAYS(e, "\5\1\0");
    HEARS(e, "\5");
    CODE(smtp_engine_output_done(e, 1), SMTP_ERR_USAGE);
    HEARS(e, "\0");
    SAYS(e, ASK);
    /* The greeting may come with the proxy's answer. */
    HEARS(e, "\5\0\0\1\0\0\0\0\0\0" "220 mail.example\r\n");
    SAYS(e, "EHLO client.example\r\n");
    HEARS(e, "250-mail.example\r\n250 AUTH PLAIN\r\n");
    SAYS(e, "MAIL FROM:<alice@a.example>\r\n");
    HEARS(e, "550 no\r\n");
    SAYS(e, "QUIT\r\n");
    CODE(smtp_engine_result(e, &r), SMTP_ERR_REFUSED);
    smtp_result_free(r);
    smtp_engine_free(e);
}

static void fails(void)
{
    static const struct timespec pause = {0, 120000000};
    smtp_engine *e = begun("socks5://proxy.example");

    TEXT(smtp_engine_host(e), "proxy.example");
    CODE(smtp_engine_port(e), 1080);
    CODE(smtp_engine_connect_failed(e, "no route"), SMTP_OK);
    ended(e, SMTP_ERR_CONNECT, "proxy socks5://proxy.example:1080: no route");

    e = begun("http://ann:s3cret@proxy.example:3128");
    smtp_engine_connected(e, -1);
    SAYS(e, "CONNECT mail.example:25 HTTP/1.1\r\nHost: mail.example:25\r\nProxy-Authorization: Basic YW5uOnMzY3JldA==\r\n\r\n");
    HEARS(e, "HTTP/1.1 403 Forbidden\r\n\r\n");
    ended(e, SMTP_ERR_CONNECT, "proxy http://proxy.example:3128: it refused: HTTP/1.1 403 Forbidden");

    e = begun("socks5://proxy.example");
    smtp_engine_connected(e, -1);
    CODE(smtp_engine_eof(e), SMTP_OK);
    ended(e, SMTP_ERR_CONNECT, "closed the connection before it answered");

    e = begun("socks5://proxy.example");
    smtp_engine_connected(e, -1);
    CODE(smtp_engine_failed(e, "cable cut"), SMTP_OK);
    ended(e, SMTP_ERR_CONNECT, "cable cut");

    e = begun("socks5://proxy.example");
    smtp_engine_connected(e, -1);
    CODE(smtp_engine_abort(e, "enough"), SMTP_OK);
    {
        smtp_result *r = NULL;

        CODE(smtp_engine_result(e, &r), SMTP_ERR_CANCELLED);
        smtp_result_free(r);
        smtp_engine_free(e);
    }

    /* The time is that of connecting, and the handshake does not renew it. */
    smtp_options_set(options, "connecttimeout", "0.1");
    e = begun("socks5://proxy.example");
    smtp_engine_connected(e, -1);
    SAYS(e, "\5\1\0");
    HEARS(e, "\5\0");
    nanosleep(&pause, NULL);
    CODE(smtp_engine_timeout(e), 0);
    CODE(smtp_engine_timed_out(e), SMTP_OK);
    ended(e, SMTP_ERR_TIMEOUT, "no answer within 100ms");
    smtp_options_set(options, "connecttimeout", "30");
}

static void talks(void)
{
    smtp_engine *e = NULL;
    int64_t ticket = 7;

    smtp_options_set(options, "proxy", "socks5://proxy.example");
    CODE(smtp_engine_new_session("mail.example", 25, options, &e), SMTP_OK);
    TEXT(smtp_engine_host(e), "proxy.example");
    CODE(smtp_engine_connected(e, -1), SMTP_OK);
    CHECK(smtp_engine_ask_command(e, "NOOP") > 0); /* done when there is a greeting */
    SAYS(e, "\5\1\0");
    HEARS(e, "\5\0");
    SAYS(e, ASK);
    CODE(smtp_engine_answer(e, &ticket), 0);
    HEARS(e, "\5\0\0\3\2hi\0\0" "220 mail.example\r\n");
    CODE(smtp_engine_answer(e, &ticket), 1);
    CODE(ticket, 0);
    CODE(smtp_engine_answer_code(e), 220);
    SAYS(e, "NOOP\r\n");
    smtp_engine_free(e);

    CODE(smtp_engine_new_session("mail.example", 25, options, &e), SMTP_OK);
    smtp_engine_connected(e, -1);
    HEARS(e, "\5\377");
    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_answer(e, &ticket), 1);
    CODE(smtp_engine_answer_status(e), SMTP_ERR_CONNECT);
    PART(smtp_engine_answer_error(e), "wants a login");
    smtp_engine_free(e);
}

static void refuses(void)
{
    CODE(smtp_options_set(options, "proxy", "ftp://ann:s3cret@proxy.example"), SMTP_ERR_USAGE);
    PART(smtp_options_error(options), "option proxy cannot be used");
    CHECK(strstr(smtp_options_error(options), "s3cret") == NULL);

#ifndef _WIN32
    /* A Unix socket is not reached through it. */
    smtp_engine *e = NULL;

    smtp_options_set(options, "proxy", "socks5://proxy.example");
    CODE(smtp_engine_new_session("unix:/run/lmtp", 0, options, &e), SMTP_OK);
    TEXT(smtp_engine_host(e), "/run/lmtp");
    CODE(smtp_engine_port(e), 0);
    smtp_engine_free(e);
#endif
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    message = smtp_message_new();
    options = smtp_options_new();
    smtp_message_set_text(message, "Hello.\n", 7);
    smtp_message_set_header(message, "From", "alice@a.example");
    smtp_message_set_header(message, "To", "bob@b.example");
    smtp_options_add_server(options, "mail.example", 25);
    smtp_options_set(options, "client", "client.example");
    sends();
    fails();
    talks();
    refuses();
    smtp_options_free(options);
    smtp_message_free(message);
    return summary();
}

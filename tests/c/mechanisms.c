/* mechanisms: login mechanisms of the program's own, what a step is told, and what goes wrong in it. It needs no server: the octets are those
 * of this file. */
#include "common.h"

static smtp_message *message;

/* What a mechanism is to do: how often it was asked, and what it gives. */
typedef struct {
    int asked, released, kept; /* kept: how often something that was kept was released */
    int later, put_off;        /* there is no answer now; how often that was said */
    int64_t gives;             /* in place of a response, where it is not 0 */
    const char *why;
} own;

static void dropped(void *user_data)
{
    ++*(int *)user_data;
}

static void released(void *user_data)
{
    ((own *)user_data)->released++;
}

static int64_t answers(void *user_data, smtp_login *login, void *response, size_t size)
{
    own *o = user_data;
    size_t length = 7;
    const void *challenge = smtp_login_data(login, "challenge", &length);

    CHECK(size >= 12288 && *(char *)response == '\0');
    if (o->later) {
        o->put_off++;
        CODE(smtp_login_keep(login, &o->kept, dropped), SMTP_OK);
        return SMTP_READ_AGAIN;
    }
    o->asked++;
    if (o->why != NULL) strcpy(response, o->why);
    if (o->gives != 0) return o->gives;
    if (o->asked == 1) {
        CHECK(challenge == NULL && length == 0);
        TEXT(smtp_login_fact(login, "host"), "mail.example");
        TEXT(smtp_login_fact(login, "port"), "25");
        TEXT(smtp_login_fact(login, "protocol"), "smtp");
        TEXT(smtp_login_fact(login, "username"), "ann");
        EMPTY(smtp_login_fact(login, "authzid"));
        EMPTY(smtp_login_fact(login, "encrypted"));
        EMPTY(smtp_login_fact(login, "verified"));
        EMPTY(smtp_login_fact(login, "tls_version"));
        EMPTY(smtp_login_fact(login, "weather"));
        EMPTY(smtp_login_fact(login, NULL));
        CHECK(smtp_login_data(login, "tls-exporter", &length) == NULL && length == 0);
        CHECK(smtp_login_data(login, NULL, NULL) == NULL);
        CODE(smtp_login_keep(login, &o->kept, dropped), SMTP_OK);
        memcpy(response, "hello", 5);
        return 5;
    }
    CHECK(length == 3 && memcmp(challenge, "a\0b", 3) == 0);
    CHECK(smtp_login_kept(login) == &o->kept);
    CODE(smtp_login_done(login), SMTP_OK);
    memcpy(response, "x\0y\r\n", 5);
    return 5;
}

static void says(smtp_engine *e, const char *expected)
{
    const void *data = NULL;
    size_t count = 0;

    CODE(smtp_engine_action(e), SMTP_EXCHANGE);
    CODE(smtp_engine_output(e, &data, &count), SMTP_OK);
    CODE(count, strlen(expected));
    CHECK(count == strlen(expected) && memcmp(data, expected, count) == 0);
    CODE(smtp_engine_output_done(e, count), SMTP_OK);
}

#define HEARS(engine, text) CODE(smtp_engine_input(engine, text, sizeof(text) - 1), SMTP_OK)

/* An engine whose server offers X-SITE alone. */
static smtp_engine *offered(own *o, smtp_options **options)
{
    smtp_engine *e = NULL;

    *options = smtp_options_new();
    CODE(smtp_options_set(*options, "servers", "mail.example"), SMTP_OK);
    CODE(smtp_options_set(*options, "client", "client.example"), SMTP_OK);
    CODE(smtp_options_set(*options, "username", "ann"), SMTP_OK);
    CODE(smtp_options_add_mechanism(*options, "X-SITE", 0, answers, o, released), SMTP_OK);
    CODE(smtp_engine_new(message, *options, &e), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_DIAL);
    CODE(smtp_engine_connected(e, -1), SMTP_OK);
    HEARS(e, "220 mail.example\r\n");
    says(e, "EHLO client.example\r\n");
    HEARS(e, "250-mail.example\r\n250 AUTH X-SITE\r\n");
    return e;
}

static void logs_in(int later)
{
    own o;
    smtp_options *options;
    smtp_engine *e;

    memset(&o, 0, sizeof o);
    e = offered(&o, &options);
    o.later = later;
    if (later) {
        says(e, "");
        CODE(smtp_engine_timeout(e), -1); /* nothing is due from the server */
        CHECK(o.put_off > 0);
        o.later = 0;
    }
    says(e, "AUTH X-SITE aGVsbG8=\r\n");
    CODE(o.kept, o.put_off);
    HEARS(e, "334 YQBi\r\n");
    o.later = later;
    if (later) {
        says(e, "");
        o.later = 0;
    }
    says(e, "eAB5DQo=\r\n");
    CODE(o.asked, 2);
    HEARS(e, "235 welcome\r\n");
    says(e, "MAIL FROM:<alice@a.example>\r\n");
    CODE(o.kept, o.put_off + 1);
    smtp_engine_free(e);
    CODE(o.released, 0);
    smtp_options_free(options);
    CODE(o.released, 1);
}

/* Before it begins, whatever it gives is why nothing was sent. */
static void fails(int64_t gives, const char *why, const char *text)
{
    own o;
    smtp_options *options;
    smtp_engine *e;
    smtp_result *r = NULL;

    memset(&o, 0, sizeof o);
    e = offered(&o, &options);
    o.gives = gives;
    o.why = why;
    says(e, "QUIT\r\n");
    CODE(smtp_engine_result(e, &r), SMTP_ERR_LOGIN);
    PART(smtp_result_error(r), text);
    TEXT(smtp_result_error_step(r), "auth");
    CODE(smtp_result_error_transient(r), 1);
    TEXT(smtp_result_attempt_login_mechanism(r, 0, 0), "X-SITE");
    CODE(smtp_result_recipient_outcome(r, 0), SMTP_NOT_SENT);
    smtp_result_free(r);
    smtp_engine_free(e);
    smtp_options_free(options);
    CODE(o.released, 1);
}

/* The connection ends while the mechanism has no answer. */
static void ends_meanwhile(void)
{
    own o;
    smtp_options *options;
    smtp_engine *e;
    smtp_result *r = NULL;

    memset(&o, 0, sizeof o);
    e = offered(&o, &options);
    o.later = 1;
    says(e, "");
    CODE(smtp_engine_eof(e), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_CLOSED);
    TEXT(smtp_result_error_step(r), "auth");
    CODE(o.asked, 0);
    smtp_result_free(r);
    smtp_engine_free(e);
    CODE(o.kept, o.put_off);
    smtp_options_free(options);
}

static void misuse(void)
{
    own o;
    smtp_options *options = smtp_options_new();
    int kept = 0;
    size_t length = 1;

    memset(&o, 0, sizeof o);
    CODE(smtp_options_add_mechanism(options, "X-SITE", 1, NULL, &o, released), SMTP_ERR_NULL);
    CODE(o.released, 1);
    CODE(smtp_options_add_mechanism(options, NULL, 1, answers, &o, released), SMTP_ERR_NULL);
    CODE(smtp_options_add_mechanism(NULL, "X-SITE", 1, answers, &o, released), SMTP_ERR_NULL);
    CODE(smtp_options_add_mechanism(options, "", 1, answers, &o, released), SMTP_ERR_USAGE);
    CODE(smtp_options_add_mechanism(options, "x-site", 1, answers, &o, released), SMTP_ERR_USAGE);
    CODE(smtp_options_add_mechanism(options, "X SITE\r\nQUIT", 1, answers, &o, released), SMTP_ERR_USAGE);
    CODE(smtp_options_add_mechanism(options, "X-SITE-OF-MORE-THAN-20", 1, answers, &o, released), SMTP_ERR_USAGE);
    CODE(smtp_options_add_mechanism(options, "PLAIN", 1, answers, &o, released), SMTP_ERR_USAGE);
    PART(smtp_options_error(options), "PLAIN");
    CODE(o.released, 8);
    CODE(smtp_options_add_mechanism(options, "X-SITE", 1, answers, &o, released), SMTP_OK);
    CODE(smtp_options_add_mechanism(options, "X-SITE", 1, answers, &o, released), SMTP_ERR_USAGE);
    PART(smtp_options_error(options), "twice");
    CODE(o.released, 9);
    smtp_options_free(options);
    CODE(o.released, 10);

    EMPTY(smtp_login_fact(NULL, "host"));
    CHECK(smtp_login_data(NULL, "challenge", &length) == NULL);
    CHECK(smtp_login_kept(NULL) == NULL);
    CODE(smtp_login_done(NULL), SMTP_ERR_NULL);
    CODE(smtp_login_keep(NULL, &kept, dropped), SMTP_ERR_NULL);
    CODE(kept, 1);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    message = mail();
    logs_in(0);
    logs_in(1);
    fails(-1, "no ticket", "X-SITE: no ticket");
    fails(-1, NULL, "the function returned -1");
    fails(-7, NULL, "the function returned -7");
    fails(70000, NULL, "70000 octets");
    ends_meanwhile();
    misuse();
    smtp_message_free(message);
    return summary();
}

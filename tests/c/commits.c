/* Option commit: who is asked, what is told, pending answers, and functions that end what called them. */
#include "common.h"

typedef struct {
    int calls, answer;
    size_t messages;
    smtp_engine *abort;
    smtp_cancel *cancel;
    int released;
} asked;

static int on_commit(void *user_data, smtp_ready *ready)
{
    asked *a = user_data;
    size_t last = smtp_ready_count(ready);

    a->calls++;
    if (a->answer != SMTP_COMMIT_AGAIN) a->messages += last;
    CHECK(last > 0);
    PART(smtp_ready_server(ready, 0), "127.0.0.1:");
    PART(smtp_ready_message_id(ready, 0), "@");
    CODE(smtp_ready_recipients(ready, 0), 1);
    TEXT(smtp_ready_recipient(ready, 0, 0), "bob@b.example");
    CODE(smtp_ready_attempt(ready, 0), 1);
    EMPTY(smtp_ready_message_id(ready, last));
    EMPTY(smtp_ready_tag(ready, last));
    EMPTY(smtp_ready_server(ready, last));
    EMPTY(smtp_ready_recipient(ready, 0, 1));
    CODE(smtp_ready_number(ready, last) + smtp_ready_attempt(ready, last) + smtp_ready_recipients(ready, last), 0);
    if (a->abort != NULL) CODE(smtp_engine_abort(a->abort, NULL), SMTP_OK);
    if (a->cancel != NULL) smtp_cancel_trigger(a->cancel);
    return a->answer;
}

static void on_release(void *user_data)
{
    ((asked *)user_data)->released++;
}

static int with_words(void *user_data, smtp_ready *ready)
{
    return smtp_ready_fail(ready, user_data);
}

static int fails_and_returns(void *user_data, smtp_ready *ready)
{
    CODE(smtp_ready_fail(ready, "it must not go"), SMTP_ERR_COMMIT);
    return *(int *)user_data;
}

/* Whatever is returned after that. */
static void failed_is_failed(void)
{
    int answers[] = {0, SMTP_COMMIT_AGAIN, 7};
    size_t i;

    for (i = 0; i < sizeof answers / sizeof *answers; i++) {
        smtp_options *o = to_sink();
        smtp_message *m = mail();
        smtp_result *r = NULL;

        smtp_options_set_commit(o, fails_and_returns, &answers[i], NULL);
        CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_COMMIT);
        PART(smtp_result_error(r), "it must not go");
        CODE(smtp_result_recipient_outcome(r, 0), SMTP_NOT_SENT);
        smtp_result_free(r);
        smtp_message_free(m);
        smtp_options_free(o);
    }
}

static smtp_options *with(asked *a)
{
    smtp_options *o = to_sink();

    memset(a, 0, sizeof *a);
    CODE(smtp_options_set_commit(o, on_commit, a, on_release), SMTP_OK);
    return o;
}

static void one_message(void)
{
    asked a;
    smtp_options *o = with(&a);
    smtp_message *m = mail();
    smtp_result *r = NULL;
    smtp_cancel *cancel = smtp_cancel_new();
    char words[] = "the disk is full";

    CODE(smtp_sendmessage(m, o, NULL), SMTP_OK);
    CODE(a.calls, 1);
    a.answer = 7;
    CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_COMMIT);
    PART(smtp_result_error(r), "the function returned 7");
    TEXT(smtp_result_error_step(r), "commit");
    CODE(smtp_result_recipient_outcome(r, 0), SMTP_NOT_SENT);
    smtp_result_free(r);
    a.answer = SMTP_COMMIT_AGAIN;
    CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_COMMIT);
    PART(smtp_result_error(r), "a blocking call cannot wait for it");
    smtp_result_free(r);
    a.answer = 0;
    a.cancel = cancel;
    smtp_options_set_cancel(o, cancel);
    CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_CANCELLED);
    CODE(smtp_result_recipient_outcome(r, 0), SMTP_NOT_SENT);
    smtp_result_free(r);
    smtp_options_set_cancel(o, NULL);
    CODE(smtp_options_set_commit(o, with_words, words, NULL), SMTP_OK);
    CODE(a.released, 1);
    CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_COMMIT);
    PART(smtp_result_error(r), words);
    smtp_result_free(r);
    CODE(smtp_options_set_commit(o, NULL, NULL, NULL), SMTP_OK);
    CODE(smtp_sendmessage(m, o, NULL), SMTP_OK);
    CODE(smtp_ready_count(NULL), 0);
    CODE(smtp_ready_fail(NULL, ""), SMTP_ERR_NULL);
    smtp_cancel_free(cancel);
    smtp_message_free(m);
    smtp_options_free(o);
}

static void engines(void)
{
    asked a;
    smtp_options *o = with(&a);
    smtp_message *m = mail();
    smtp_engine *e = NULL;
    smtp_result *r = NULL;
    int i;

    a.answer = SMTP_COMMIT_AGAIN;
    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    CODE(smtp_engine_waits_for_commit(e), 0);
    for (i = 0; i < 1000 && !smtp_engine_waits_for_commit(e); i++) {
        smtp_engine_ready(e, SMTP_READ | SMTP_WRITE);
        pause_for(5);
    }
    CODE(smtp_engine_waits_for_commit(e), 1);
    CODE(smtp_engine_waits_for_reader(e), 0);
    a.answer = 0;
    smtp_engine_ready(e, 0);
    CHECK(done(e));
    CODE(smtp_engine_result(e, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_result(e, &r), SMTP_OK);
    smtp_result_free(r);
    smtp_engine_free(e);
    CODE(smtp_engine_waits_for_commit(NULL), 0);
    /* One that is ended by its commit sends nothing more. */
    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    a.abort = e;
    CHECK(done(e));
    CODE(smtp_engine_result(e, &r), SMTP_ERR_CANCELLED);
    CODE(smtp_result_recipient_outcome(r, 0), SMTP_NOT_SENT);
    smtp_result_free(r);
    smtp_engine_free(e);
    smtp_message_free(m);
    smtp_options_free(o);
    CODE(a.released, 1);
}

static int one_more(void *user_data, const smtp_message **message, const smtp_options **options)
{
    static int left = 5;

    (void)options;
    *message = user_data;
    return left-- > 0;
}

static void on_sent(void *user_data, uint64_t number, int status, const smtp_result *result)
{
    (void)user_data, (void)number, (void)result;
    CODE(status, SMTP_OK);
}

static void batches_and_mailers(void)
{
    asked a;
    smtp_options *o = with(&a), *other = smtp_options_new();
    smtp_message *m = mail();
    smtp_session *s = NULL;
    smtp_mailer *mailer = NULL;
    smtp_result *r = NULL;
    int64_t ticket;
    int i, taken = 0;

    CODE(smtp_session_open("127.0.0.1", port, o, &s), SMTP_OK);
    CODE(smtp_session_send_many(s, one_more, on_sent, m), SMTP_OK);
    CODE(a.messages, 5);
    smtp_options_set_commit(other, with_words, NULL, NULL);
    CODE(smtp_session_sendmessage(s, m, other, NULL), SMTP_ERR_USAGE);
    PART(smtp_session_error(s), "option `commit` belongs to the session");
    smtp_session_close(s);
    a.messages = 0;
    a.answer = SMTP_COMMIT_AGAIN;
    CODE(smtp_mailer_new(o, &mailer, NULL), SMTP_OK);
    CHECK(smtp_mailer_submit(mailer, m, other, &r) == SMTP_ERR_USAGE);
    smtp_result_free(r);
    for (i = 0; i < 20; i++) CHECK(smtp_mailer_submit(mailer, m, NULL, NULL) == i + 1);
    while (a.calls < 1) pause_for(5);
    a.answer = 0;
    CODE(smtp_mailer_wake(mailer), SMTP_OK);
    CODE(smtp_mailer_wake(NULL), SMTP_ERR_NULL);
    while (taken < 20 && smtp_mailer_next(mailer, HANGS, &ticket, &r) == 1) {
        CODE(smtp_result_status(r), SMTP_OK);
        smtp_result_free(r);
        taken++;
    }
    CODE(taken, 20);
    CODE(a.messages, 20);
    CODE(smtp_mailer_close(mailer, HANGS), 1);
    smtp_mailer_free(mailer);
    smtp_options_free(other);
    smtp_options_free(o);
    smtp_message_free(m);
    CODE(a.released, 1);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    one_message();
    failed_is_failed();
    engines();
    batches_and_mailers();
    return summary();
}

/* many SERVER RECIPIENT COUNT: COUNT messages of 1 KiB on one session, many on their way at once. */
#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1024 };

struct work {
    smtp_message *message;
    long count, given, accepted;
};

/* Gives the next message; it could be another one each time, with options of its own. */
static int next(void *user_data, const smtp_message **message, const smtp_options **options)
{
    struct work *work = user_data;

    (void)options;
    if (work->given == work->count) return 0;
    work->given++;
    *message = work->message;
    return 1;
}

/* A refused message does not end the session, and the others are told of, too, when the connection is lost. */
static void sent(void *user_data, uint64_t number, int status, const smtp_result *result)
{
    struct work *work = user_data;

    size_t i;

    if (status == SMTP_OK) {
        work->accepted++;
        return;
    }
    fprintf(stderr, "message %llu: %s\n", (unsigned long long)number, smtp_code_text(status));
    if (*smtp_result_error(result) != '\0') fprintf(stderr, "  %s\n", smtp_result_error(result));
    for (i = 0; i < smtp_result_refused_count(result); i++) {
        fprintf(stderr, "  %s: %d %s\n", smtp_result_refused_address(result, i), smtp_result_refused_reply_code(result, i),
                smtp_result_refused_reply_text(result, i));
    }
}

int main(int argc, char **argv)
{
    char body[SIZE];
    struct work work = {0};
    smtp_options *options;
    smtp_session *session = NULL;
    int i;

    if (argc != 4 || (work.count = atol(argv[3])) < 1) {
        fprintf(stderr, "use: %s SERVER RECIPIENT COUNT\n", argv[0]);
        return 2;
    }
    /* Lines of 64 octets. */
    memset(body, 'x', SIZE);
    for (i = 62; i < SIZE; i += 64) memcpy(body + i, "\r\n", 2);

    options = smtp_options_new();
    smtp_options_set(options, "recipients", argv[2]);
    work.message = smtp_message_new();
    smtp_message_set_header(work.message, "Subject", "One of many");
    smtp_message_set_text(work.message, body, SIZE);

    if (smtp_session_open(argv[1], 0, options, &session) == SMTP_OK) smtp_session_send_many(session, next, sent, &work);
    else fprintf(stderr, "%s\n", smtp_session_error(session));
    printf("%ld of %ld accepted\n", work.accepted, work.count);
    smtp_session_close(session);
    smtp_message_free(work.message);
    smtp_options_free(options);
    return work.accepted != work.count;
}

/* many SERVER RECIPIENT COUNT: COUNT messages of 1 KiB, one behind the other, on one session. */
#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1024 };

int main(int argc, char **argv)
{
    char body[SIZE];
    smtp_message *message;
    smtp_options *options;
    smtp_session *session = NULL;
    long count, accepted = 0, i;

    if (argc != 4 || (count = atol(argv[3])) < 1) {
        fprintf(stderr, "use: %s SERVER RECIPIENT COUNT\n", argv[0]);
        return 2;
    }
    /* Lines of 64 octets. */
    memset(body, 'x', SIZE);
    for (i = 62; i < SIZE; i += 64) memcpy(body + i, "\r\n", 2);

    options = smtp_options_new();
    smtp_options_set(options, "recipients", argv[2]);
    message = smtp_message_new();
    smtp_message_set_header(message, "Subject", "One of many");
    smtp_message_set_text(message, body, SIZE);

    if (smtp_session_open(argv[1], 0, options, &session) != SMTP_OK) {
        fprintf(stderr, "%s\n", smtp_session_error(session));
        count = 0;
    }
    for (i = 0; i < count; i++) {
        smtp_result *result = NULL;
        int status = smtp_session_sendmessage(session, message, NULL, &result);

        if (status == SMTP_OK) accepted++;
        else fprintf(stderr, "%s: %s\n", smtp_code_text(status), smtp_result_error(result));
        smtp_result_free(result);
        /* A refused message does not end the session; a lost connection does. */
        if (!smtp_session_is_open(session)) break;
    }
    printf("%ld of %ld accepted\n", accepted, atol(argv[3]));
    smtp_session_close(session);
    smtp_message_free(message);
    smtp_options_free(options);
    return accepted != atol(argv[3]);
}

/* The client of tests/link over the C functions; core/examples/link_client.rs says what it takes and prints. */
#define _POSIX_C_SOURCE 200809L
#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static const char *word(const char *text)
{
    return *text == '\0' ? "-" : text;
}

static void print(double seconds, const smtp_result *result)
{
    int outcome = smtp_result_recipient_outcome(result, 0);
    size_t i;

    printf("%.2f %s %s %s", seconds, word(smtp_result_error_kind(result)), word(smtp_result_error_step(result)),
           smtp_outcome_name(outcome));
    for (i = 0; i < smtp_result_attempt_count(result); i++) {
        printf(" %s/%s/%s", smtp_result_attempt_server(result, i), word(smtp_result_attempt_error_kind(result, i)),
               word(smtp_result_attempt_error_step(result, i)));
    }
    putchar('\n');
    fflush(stdout);
}

int main(int argc, char **argv)
{
    smtp_options *options = smtp_options_new();
    smtp_session *session = NULL;
    smtp_mailer *mailer = NULL;
    const char *host = "localhost";
    char *file;
    int i, n = 0;

    if (argc < 4) return 2;
    for (i = 4; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value == NULL) return 2;
        *value++ = '\0';
        if (strcmp(argv[i], "servers") == 0) host = value;
        if (smtp_options_set(options, argv[i], value) != SMTP_OK) {
            fprintf(stderr, "%s\n", smtp_options_error(options));
            return EXIT_FAILURE;
        }
    }
    for (file = strtok(argv[3], ","); file != NULL; file = strtok(NULL, ",")) {
        smtp_message *message = smtp_message_new();
        smtp_result *result = NULL;
        double begin;
        int64_t ticket;

        if (n++ > 0) sleep((unsigned)atoi(argv[2]));
        if (smtp_message_set_message_file(message, file) != SMTP_OK) return EXIT_FAILURE;
        begin = now();
        if (strcmp(argv[1], "send") == 0) {
            smtp_sendmessage(message, options, &result);
        } else if (strcmp(argv[1], "session") == 0) {
            if (session == NULL && smtp_session_open(host, 0, options, &session) != SMTP_OK) return EXIT_FAILURE;
            smtp_session_sendmessage(session, message, options, &result);
        } else {
            if (mailer == NULL && smtp_mailer_new(options, &mailer, NULL) != SMTP_OK) return EXIT_FAILURE;
            if (smtp_mailer_submit(mailer, message, NULL, NULL) < 0) return EXIT_FAILURE;
            smtp_mailer_next(mailer, 600000, &ticket, &result);
        }
        print(now() - begin, result);
        smtp_result_free(result);
        smtp_message_free(message);
    }
    smtp_session_free(session);
    smtp_mailer_free(mailer);
    smtp_options_free(options);
    return EXIT_SUCCESS;
}

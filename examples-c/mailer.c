/* mailer SERVER COUNT RECIPIENT...: COUNT messages to each recipient, over up to 8 connections. */
#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>

/* Why a message did not get to everybody. */
static void tell(int64_t ticket, const smtp_result *result)
{
    size_t i;

    fprintf(stderr, "message %ld: %s\n", (long)ticket, smtp_code_text(smtp_result_status(result)));
    if (*smtp_result_error(result) != '\0') fprintf(stderr, "  %s\n", smtp_result_error(result));
    for (i = 0; i < smtp_result_refused_count(result); i++) {
        fprintf(stderr, "  %s: %d %s\n", smtp_result_refused_address(result, i), smtp_result_refused_reply_code(result, i),
                smtp_result_refused_reply_text(result, i));
    }
}

/* Takes the results that are there, or, with wait, all that are due. */
static void results(smtp_mailer *mailer, int wait)
{
    smtp_result *result;
    int64_t ticket;

    while (smtp_mailer_next(mailer, wait ? -1 : 0, &ticket, &result) == 1) {
        if (smtp_result_status(result) != SMTP_OK) tell(ticket, result);
        smtp_result_free(result);
    }
}

int main(int argc, char **argv)
{
    smtp_mailer *mailer = NULL;
    smtp_options *options;
    smtp_result *failure = NULL;
    unsigned long accepted, submitted, untaken = 0;
    long count, i;
    int to;

    if (argc < 4 || (count = atol(argv[2])) < 1) {
        fprintf(stderr, "use: %s SERVER COUNT RECIPIENT...\n", argv[0]);
        return 2;
    }
    options = smtp_options_new();
    smtp_options_set(options, "servers", argv[1]);
    smtp_options_set(options, "connections", "8");
    if (smtp_mailer_new(options, &mailer, &failure) != SMTP_OK) {
        fprintf(stderr, "%s\n", smtp_result_error(failure));
        smtp_result_free(failure);
        smtp_options_free(options);
        return 1;
    }
    for (i = 0; i < count; i++) {
        for (to = 3; to < argc; to++) {
            char text[80];
            int length = snprintf(text, sizeof text, "This is message %ld.\n", i + 1);
            smtp_message *message = smtp_message_new();

            smtp_message_set_text(message, text, (size_t)length);
            smtp_message_set_header(message, "To", argv[to]);
            smtp_message_set_header(message, "Subject", "To many");
            /* Waits while 1000 messages are on their way. */
            if (smtp_mailer_submit(mailer, message, NULL, &failure) < 0) {
                fprintf(stderr, "%s: %s\n", argv[to], smtp_result_error(failure));
                smtp_result_free(failure);
                untaken++;
            }
            smtp_message_free(message);
        }
        results(mailer, 0);
    }
    /* Ten minutes for the rest; what is not sent by then has a result that says so. */
    smtp_mailer_close(mailer, 600000);
    results(mailer, 1);
    accepted = (unsigned long)smtp_mailer_count(mailer, SMTP_COUNT_ACCEPTED);
    submitted = (unsigned long)smtp_mailer_count(mailer, SMTP_COUNT_SUBMITTED);
    printf("%lu of %lu accepted\n", accepted, submitted);
    smtp_mailer_free(mailer);
    smtp_options_free(options);
    return untaken > 0 || accepted != submitted;
}

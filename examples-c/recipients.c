/* recipients SERVER FILE RECIPIENT...: a message from a file to many recipients.
 *
 * The message goes out when at least one recipient is taken. The result says what became of each, and why. Option `debug` prints the dialogue on standard error. */
#include <libsmtp.h>
#include <stdio.h>

/* One setting that fails is enough: later ones do not hide it. */
static int set(smtp_options *options, const char *name, const char *value)
{
    if (smtp_options_set(options, name, value) == SMTP_OK) return 0;
    fprintf(stderr, "%s\n", smtp_options_error(options));
    return 1;
}

static void print(const smtp_result *result)
{
    size_t i;

    printf("%s\n", smtp_code_text(smtp_result_status(result)));
    if (*smtp_result_error(result)) printf("error: %s\n", smtp_result_error(result));
    for (i = 0; i < smtp_result_recipient_count(result); i++)
        printf("%s: %s: %d %s\n", smtp_outcome_name(smtp_result_recipient_outcome(result, i)),
               smtp_result_recipient_address(result, i), smtp_result_recipient_reply_code(result, i),
               smtp_result_recipient_reply_text(result, i));
    if (smtp_result_sent(result)) printf("queue id: %s\n", smtp_result_queue_id(result));
}

int main(int argc, char **argv)
{
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    smtp_result *result = NULL;
    int failed = 0, status = SMTP_ERR_USAGE, i;

    if (argc < 4) {
        fprintf(stderr, "use: %s SERVER FILE RECIPIENT...\n", argv[0]);
        failed = 1;
    } else if (smtp_message_set_message_file(message, argv[2]) != SMTP_OK) {
        fprintf(stderr, "%s\n", smtp_message_error(message));
        failed = 1;
    } else {
        failed |= set(options, "servers", argv[1]);
        failed |= set(options, "atleastone", "yes");
        failed |= set(options, "debug", "yes");
        for (i = 3; i < argc; i++) failed |= smtp_options_add_recipient(options, argv[i]) != SMTP_OK;
    }
    if (!failed) {
        status = smtp_sendmessage(message, options, &result);
        print(result);
    }
    smtp_result_free(result);
    smtp_options_free(options);
    smtp_message_free(message);
    /* SMTP_PARTIAL: the message was sent, though not to all. */
    return status != SMTP_OK && status != SMTP_PARTIAL;
}

/* simple SERVER RECIPIENT: a subject, a body, a recipient, a server. */
#include <libsmtp.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    static const char body[] = "This is the message.\n";
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    smtp_result *result = NULL;
    int status;

    if (argc != 3) return 2;
    smtp_message_set_text(message, body, sizeof body - 1);
    smtp_message_set_header(message, "Subject", "This is the subject.");
    smtp_options_set(options, "servers", argv[1]);
    smtp_options_set(options, "recipients", argv[2]);
    status = smtp_sendmessage(message, options, &result);
    printf("%s. %s\n", smtp_code_text(status), smtp_result_error(result));
    smtp_result_free(result);
    smtp_options_free(options);
    smtp_message_free(message);
    return status != SMTP_OK;
}

/* file SERVER RECIPIENT FILE: sends a file of any size as an attachment.
 *
 * The file is read while it is sent, piece by piece: memory use does not grow with it. */
#include <libsmtp.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *body = "The file is attached.\n";
    smtp_message *message;
    smtp_options *options;
    smtp_result *result = NULL;
    int status;

    if (argc != 4) {
        fprintf(stderr, "use: %s SERVER RECIPIENT FILE\n", argv[0]);
        return 2;
    }
    message = smtp_message_new();
    smtp_message_set_text(message, body, strlen(body));
    smtp_message_set_header(message, "Subject", "A file");

    options = smtp_options_new();
    smtp_options_set(options, "servers", argv[1]);
    smtp_options_set(options, "recipients", argv[2]);

    status = smtp_message_attach_file(message, argv[3]);
    if (status != SMTP_OK) {
        fprintf(stderr, "%s\n", smtp_message_error(message));
    } else {
        status = smtp_sendmessage(message, options, &result);
        if (status == SMTP_OK)
            printf("sent, queue id %s\n", smtp_result_queue_id(result));
        else
            fprintf(stderr, "%s: %s\n", smtp_code_text(status), smtp_result_error(result));
    }
    smtp_result_free(result);
    smtp_options_free(options);
    smtp_message_free(message);
    return status != SMTP_OK;
}

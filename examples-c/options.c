/* options RECIPIENT NAME=VALUE...: sends a short message with any options by name, and tells what is known of TLS.
 *
 *   options bob@example.org servers=smtps://mail.example.org username=ann tlscafile=ca.pem */
#include <libsmtp.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const char body[] = "This is the message.\n";
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    smtp_result *result = NULL;
    int i, status = argc < 2 ? SMTP_ERR_USAGE : SMTP_OK;

    smtp_message_set_text(message, body, sizeof body - 1);
    if (status == SMTP_OK) status = smtp_options_set(options, "recipients", argv[1]);
    for (i = 2; i < argc && status == SMTP_OK; i++) {
        char *value = strchr(argv[i], '=');

        if (value != NULL) *value++ = '\0';
        status = smtp_options_set(options, argv[i], value);
    }
    if (status != SMTP_OK) {
        fprintf(stderr, "%s\n", argc < 2 ? "use: options RECIPIENT NAME=VALUE..." : smtp_options_error(options));
    } else {
        status = smtp_sendmessage(message, options, &result);
        printf("%s %s\n", smtp_code_name(status), smtp_result_error(result));
        if (smtp_result_attempt_count(result) > 0)
            printf("TLS: %s, verified %d %s\n", smtp_result_attempt_tls_version(result, 0),
                   smtp_result_attempt_tls_verified(result, 0), smtp_result_attempt_tls_why_not(result, 0));
    }
    smtp_result_free(result);
    smtp_options_free(options);
    smtp_message_free(message);
    return status != SMTP_OK;
}

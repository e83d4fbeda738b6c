/* attachments SERVER RECIPIENT PICTURE FILE FILE: text and HTML with a picture in it, and two files attached.
 *
 * The files are read while they are sent: the peak memory that is printed does not grow with them. */
#define _XOPEN_SOURCE 700
#include <libsmtp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* The first step that fails ends it: 0 as long as all went well. */
static int compose(smtp_message *message, char **files)
{
    const char *text = "Two files are attached.\n";
    const char *html = "<p>Two files are attached.</p><img src=\"cid:picture@example.org\">\n";
    int status = smtp_message_set_text(message, text, strlen(text));

    if (status == SMTP_OK) status = smtp_message_set_header(message, "Subject", "Two files and a picture");
    if (status == SMTP_OK) status = smtp_message_add_html(message, html);
    if (status == SMTP_OK) status = smtp_message_inline_file(message, files[0], "picture@example.org", NULL);
    if (status == SMTP_OK) status = smtp_message_attach_file(message, files[1]);
    if (status == SMTP_OK) status = smtp_message_attach_file(message, files[2]);
    return status;
}

int main(int argc, char **argv)
{
    smtp_message *message;
    smtp_options *options;
    smtp_result *result = NULL;
    struct rusage usage;
    int status;

    if (argc != 6) {
        fprintf(stderr, "use: %s SERVER RECIPIENT PICTURE FILE FILE\n", argv[0]);
        return 2;
    }
    message = smtp_message_new();
    options = smtp_options_new();
    smtp_options_set(options, "servers", argv[1]);
    smtp_options_set(options, "recipients", argv[2]);

    status = compose(message, argv + 3);
    if (status != SMTP_OK) {
        fprintf(stderr, "%s\n", smtp_message_error(message));
    } else {
        status = smtp_sendmessage(message, options, &result);
        getrusage(RUSAGE_SELF, &usage);
        printf("%s: %s %lu octets, peak memory %ld KiB\n", smtp_code_text(status), smtp_result_error(result),
               (unsigned long)smtp_result_octets(result), usage.ru_maxrss);
    }
    smtp_result_free(result);
    smtp_options_free(options);
    smtp_message_free(message);
    return status != SMTP_OK;
}

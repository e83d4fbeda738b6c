/* reader SERVER RECIPIENT MIB: a message that is made while it is sent, in memory that does not grow. */
#define _XOPEN_SOURCE 700
#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char line[] = "All work and no play makes Jack a dull boy. 0123456789 abcdefgh\r\n";

enum { LINE = sizeof line - 1 };

typedef struct {
    int64_t left; /* octets still to come */
    size_t at;    /* place in the line */
} source;

/* As many octets as fit; 0 at the end. -1 would abandon the message. */
static int64_t read_some(void *user_data, void *buffer, size_t size)
{
    source *from = user_data;
    char *to = buffer;
    size_t done = 0;

    while (done < size && from->left > 0) {
        to[done++] = line[from->at];
        from->at = (from->at + 1) % LINE;
        from->left--;
    }
    return (int64_t)done;
}

int main(int argc, char **argv)
{
    smtp_message *message;
    smtp_options *options;
    smtp_result *result = NULL;
    struct rusage usage;
    source from = {0, 0};
    int status;

    if (argc != 4) {
        fprintf(stderr, "use: %s SERVER RECIPIENT MIB\n", argv[0]);
        return 2;
    }
    from.left = (int64_t)atol(argv[3]) * 1048576;
    message = smtp_message_new();
    smtp_message_set_header(message, "Subject", "A long story");
    smtp_message_set_part(message, "text/plain");
    smtp_message_set_encoding(message, SMTP_ENCODING_7BIT);
    /* No rewind: it can be read once. The length is not told: -1. */
    smtp_message_set_body_reader(message, read_some, NULL, &from, NULL, -1);
    options = smtp_options_new();
    smtp_options_set(options, "servers", argv[1]);
    smtp_options_set(options, "recipients", argv[2]);

    status = smtp_sendmessage(message, options, &result);
    getrusage(RUSAGE_SELF, &usage);
    if (status != SMTP_OK) fprintf(stderr, "%s\n", smtp_result_error(result));
    printf("%s: %llu octets, peak memory %ld KiB\n", smtp_code_text(status),
           (unsigned long long)smtp_result_octets(result), usage.ru_maxrss);
    smtp_result_free(result);
    smtp_options_free(options);
    smtp_message_free(message);
    return status != SMTP_OK;
}

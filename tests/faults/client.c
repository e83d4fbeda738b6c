/* The client of `scripted-server faults` over the C functions: sends a message for each line of options, and prints what
 * became of it. */
#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cuts the next `name=value` off the line; the value, or NULL at the end. */
static char *next(char **rest, char **name)
{
    char *at = *rest, *end, *value;

    if (at == NULL || *at == '\0') return NULL;
    end = strpbrk(at, "\t\n");
    *rest = end == NULL ? NULL : end + 1;
    if (end != NULL) *end = '\0';
    value = strchr(at, '=');
    if (value == NULL) return NULL;
    *value = '\0';
    *name = at;
    return value + 1;
}

static void print(const smtp_result *result)
{
    const char *kind = smtp_result_error_kind(result), *id = smtp_result_queue_id(result);
    size_t i;

    printf("%s %s", *kind == '\0' ? "-" : kind, *id == '\0' ? "-" : id);
    for (i = 0; i < smtp_result_recipient_count(result); i++) {
        int outcome = smtp_result_recipient_outcome(result, i);

        printf(" %s", smtp_outcome_name(outcome));
    }
    putchar('\n');
    fflush(stdout);
}

int main(void)
{
    static char line[65536];

    while (fgets(line, sizeof line, stdin) != NULL) {
        smtp_message *message = smtp_message_new();
        smtp_options *options = smtp_options_new();
        smtp_result *result = NULL;
        char *rest = line, *name, *value;
        int failed = 0;

        while ((value = next(&rest, &name)) != NULL) {
            if (strcmp(name, "message") == 0) failed |= smtp_message_set_message_file(message, value) != SMTP_OK;
            else failed |= smtp_options_set(options, name, value) != SMTP_OK;
        }
        if (failed) {
            fprintf(stderr, "%s%s\n", smtp_message_error(message), smtp_options_error(options));
            return EXIT_FAILURE;
        }
        smtp_sendmessage(message, options, &result);
        print(result);
        smtp_result_free(result);
        smtp_options_free(options);
        smtp_message_free(message);
    }
    return EXIT_SUCCESS;
}

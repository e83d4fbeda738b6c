/* dialogue FOLDER: sends the message of a dialogue file and prints the report (tests/dialogues/README.md).
 *
 * For `scripted-server run FILES... -- dialogue`. */
#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *folder, const char *name, size_t *length)
{
    char path[4096];
    char *data = NULL;
    size_t room = 0, n;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    *length = 0;
    do {
        room += 65536;
        data = realloc(data, room + 1);
        if (data == NULL) exit(2);
        n = fread(data + *length, 1, room - *length, file);
        *length += n;
    } while (n > 0);
    fclose(file);
    data[*length] = '\0';
    return data;
}

/* A value, or `-`; the lines of a text joined with ` / `. */
static void word(const char *text)
{
    putchar(' ');
    if (*text == '\0') putchar('-');
    for (; *text != '\0'; text++) {
        if (*text == '\n') fputs(" / ", stdout);
        else putchar(*text);
    }
}

static void code(int code)
{
    if (code == 0) fputs(" -", stdout);
    else printf(" %d", code);
}

static const char *outcome(int outcome)
{
    return outcome == SMTP_NOT_SENT ? "notsent" : smtp_outcome_name(outcome);
}

static const char *state(const smtp_result *r)
{
    switch (smtp_result_status(r)) {
    case SMTP_OK: return "sent";
    case SMTP_PARTIAL: return "partial";
    case SMTP_ERR_UNKNOWN: return "unknown";
    case SMTP_ERR_RECIPIENTS: return "notsent";
    default: return "error";
    }
}

static void print(const smtp_result *r)
{
    size_t i;

    printf("status = %s\n", state(r));
    if (*smtp_result_error(r) != '\0') {
        printf("error = %s %s %s", smtp_result_error_kind(r), smtp_result_error_step(r),
            smtp_result_transient(r) ? "transient" : "permanent");
        code(smtp_result_error_code(r));
        word(smtp_result_error_enhanced(r));
        fputs("\nerror_text =", stdout);
        word(smtp_result_error(r));
        putchar('\n');
    }
    for (i = 0; i < smtp_result_recipient_count(r); i++) {
        printf("recipient = %s %s %s", smtp_result_recipient_address(r, i),
            outcome(smtp_result_recipient_outcome(r, i)), smtp_result_recipient_step(r, i));
        code(smtp_result_recipient_code(r, i));
        word(smtp_result_recipient_enhanced(r, i));
        putchar('\n');
    }
    for (i = 0; i < smtp_result_refused_count(r); i++) {
        printf("refused = %s", smtp_result_refused_address(r, i));
        code(smtp_result_refused_code(r, i));
        word(smtp_result_refused_text(r, i));
        putchar('\n');
    }
    fputs("reply =", stdout);
    code(smtp_result_reply_code(r));
    word(smtp_result_reply_text(r));
    fputs("\nqueue_id =", stdout);
    word(smtp_result_queue_id(r));
    putchar('\n');
    for (i = 0; i < smtp_result_attempt_count(r); i++) {
        if (*smtp_result_attempt_error(r, i) == '\0') {
            puts("attempt = ok");
            continue;
        }
        printf("attempt = %s %s %s", smtp_result_attempt_error_kind(r, i),
            smtp_result_attempt_error_step(r, i), smtp_result_attempt_transient(r, i) ? "transient" : "permanent");
        code(smtp_result_attempt_error_code(r, i));
        word(smtp_result_attempt_error_enhanced(r, i));
        putchar('\n');
    }
    fputs("used =", stdout);
    for (i = 0; i < smtp_result_extension_count(r); i++) word(smtp_result_extension(r, i));
    fputs("\navoided =", stdout);
    for (i = 0; i < smtp_result_avoided_count(r); i++) word(smtp_result_avoided(r, i));
    putchar('\n');
}

/* Sets the options: name NUL value NUL. One that cannot be set is an error like any other. */
static int set_options(smtp_options *options, const char *data, size_t length)
{
    const char *at = data, *end = data + length;

    while (at < end) {
        const char *name = at, *value = name + strlen(name) + 1;
        int status = smtp_options_set(options, name, value);

        if (status != SMTP_OK) {
            printf("status = error\nerror = %s setup permanent - -\nerror_text = %s\n", smtp_code_name(status),
                smtp_options_error(options));
            return status;
        }
        at = value + strlen(value) + 1;
    }
    return SMTP_OK;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[argc - 1] : ".";
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    smtp_result *result = NULL;
    size_t length;
    char *data = read_file(folder, "message", &length);

    smtp_message_set_message(message, data, length);
    free(data);
    data = read_file(folder, "options", &length);
    if (set_options(options, data, length) == SMTP_OK) {
        smtp_sendmessage(message, options, &result);
        print(result);
        smtp_result_free(result);
    }
    free(data);
    smtp_options_free(options);
    smtp_message_free(message);
    return 0;
}

/* dialogue [watched] FOLDER: sends the message of a dialogue file and prints the report (tests/dialogues/README.md).
 * `watched`: by an engine, whose descriptor is watched, and not by a call that blocks.
 *
 * For `scripted-server run FILES... -- dialogue`. */
#define _POSIX_C_SOURCE 200809L
#include <libsmtp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *host = "localhost"; /* as the options say */
static unsigned short port;

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

        if (strcmp(name, "servers") == 0) host = value;
        if (strcmp(name, "ports") == 0) port = (unsigned short)atoi(value);
        if (status != SMTP_OK) {
            printf("status = error\nerror = %s setup permanent - -\nerror_text = %s\n", smtp_code_name(status),
                smtp_options_error(options));
            return status;
        }
        at = value + strlen(value) + 1;
    }
    return SMTP_OK;
}

static void sleeps(long milliseconds)
{
    struct timespec time;

    time.tv_sec = milliseconds / 1000;
    time.tv_nsec = milliseconds % 1000 * 1000000;
    nanosleep(&time, NULL);
}

static int turn(smtp_engine *e)
{
    int64_t wait = smtp_engine_timeout(e);
    int interest = smtp_engine_interest(e);
    struct pollfd p;

    p.fd = smtp_engine_fd(e);
    p.events = (short)((interest & SMTP_READ ? POLLIN : 0) | (interest & SMTP_WRITE ? POLLOUT : 0));
    p.revents = 0;
    poll(&p, 1, (int)wait);
    return smtp_engine_ready(e, (p.revents & ~POLLOUT ? SMTP_READ : 0) | (p.revents & POLLOUT ? SMTP_WRITE : 0));
}

static smtp_result *send_watched(const smtp_message *message, const smtp_options *options)
{
    smtp_engine *e = NULL;
    smtp_result *result = NULL;

    smtp_engine_new(message, options, &e);
    while (turn(e) == SMTP_EXCHANGE) continue;
    smtp_engine_result(e, &result);
    smtp_engine_free(e);
    return result;
}

/* The same message twice over one session, with a pause between them; the second one counts. */
static smtp_result *send_again(const smtp_message *message, const smtp_options *options, long pause)
{
    smtp_session *session = NULL;
    smtp_result *result = NULL;

    smtp_session_open(host, port, options, &session);
    smtp_session_sendmessage(session, message, options, NULL);
    sleeps(pause);
    smtp_session_sendmessage(session, message, options, &result);
    smtp_session_close(session);
    return result;
}

static smtp_result *send_again_watched(const smtp_message *message, const smtp_options *options, long pause)
{
    smtp_engine *e = NULL;
    smtp_result *result = NULL;
    int64_t asked, ticket;
    int i;

    smtp_engine_new_session(host, port, options, &e);
    for (i = 0; i < 2; i++) {
        asked = smtp_engine_ask_sendmessage(e, message, options);
        do {
            ticket = -1;
            while (smtp_engine_answer(e, &ticket) == 0) turn(e);
        } while (ticket != asked);
        if (i == 0) sleeps(pause); /* the program is busy elsewhere, and watches nothing */
    }
    smtp_engine_answer_result(e, &result);
    smtp_engine_part(e);
    while (turn(e) == SMTP_EXCHANGE) continue;
    smtp_engine_free(e);
    return result;
}

/* The pause before the message is sent again, in ms; -1: it is not. */
static long pause_of(const char *folder)
{
    char path[4096];
    long pause = -1;
    FILE *file;

    snprintf(path, sizeof path, "%s/again", folder);
    file = fopen(path, "r");
    if (file == NULL) return -1;
    if (fscanf(file, "%ld", &pause) != 1) exit(2);
    fclose(file);
    return pause;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[argc - 1] : ".";
    int watched = argc > 2 && strcmp(argv[1], "watched") == 0;
    long pause = pause_of(folder);
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    smtp_result *result = NULL;
    size_t length;
    char *data = read_file(folder, "message", &length);

    smtp_message_set_message(message, data, length);
    free(data);
    data = read_file(folder, "options", &length);
    if (set_options(options, data, length) == SMTP_OK) {
        if (pause >= 0) result = (watched ? send_again_watched : send_again)(message, options, pause);
        else if (watched) result = send_watched(message, options);
        else smtp_sendmessage(message, options, &result);
        print(result);
        smtp_result_free(result);
    }
    free(data);
    smtp_options_free(options);
    smtp_message_free(message);
    return 0;
}

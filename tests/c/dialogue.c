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

static const char *state(const smtp_result *r)
{
    switch (smtp_result_status(r)) {
    case SMTP_OK: return "sent";
    case SMTP_PARTIAL: return "partial";
    case SMTP_ERR_UNKNOWN: return "unknown";
    case SMTP_ERR_RECIPIENTS: return "not_sent";
    default: return "error";
    }
}

/* A line for each field that has no fields of its own. */
static void fields(const char *path, const smtp_value *value)
{
    int type = smtp_value_type(value);
    size_t i, count = smtp_value_count(value);
    char below[256];

    for (i = 0; i < count; i++) {
        snprintf(below, sizeof below, "%s%s", path, *path != '\0' ? "." : "");
        if (type == SMTP_VALUE_RECORD) strcat(below, smtp_value_name(value, i));
        else sprintf(below + strlen(below), "%u", (unsigned)i);
        fields(below, smtp_value_item(value, i));
    }
    if (count > 0) return;
    printf("field = %s", path);
    if (type == SMTP_VALUE_FLAG || type == SMTP_VALUE_NUMBER) printf(" %lu\n", (unsigned long)smtp_value_number(value));
    else word(smtp_value_text(value)), putchar('\n');
}

static void agree(const smtp_result *r, const char *text, int number, const char *path, size_t index)
{
    char at[256];
    const smtp_value *value;

    snprintf(at, sizeof at, path, (unsigned)index);
    value = smtp_value_find(smtp_result_value(r), at);
    if (text != NULL ? strcmp(smtp_value_text(value), text) != 0 : smtp_value_number(value) != (unsigned)number) {
        printf("status = the function and the field %s differ\n", at);
    }
}

/* Every function gives what its field has. */
static void functions_agree(const smtp_result *r)
{
    size_t i, j;
    char path[64];

#define TEXT(function, path) agree(r, function, 0, path, i)
#define NUMBER(function, path) agree(r, NULL, function, path, i)
    i = 0;
    TEXT(smtp_code_name(smtp_result_status(r)), "status");
    NUMBER(smtp_result_sent(r), "sent");
    TEXT(smtp_result_queue_id(r), "queue_id");
    NUMBER(smtp_result_reply_code(r), "reply.code");
    TEXT(smtp_result_reply_enhanced(r), "reply.enhanced");
    TEXT(smtp_result_reply_text(r), "reply.text");
    NUMBER((int)smtp_result_octets(r), "octets");
    TEXT(smtp_result_error(r), "error.message");
    TEXT(smtp_result_error_kind(r), "error.kind");
    TEXT(smtp_result_error_step(r), "error.step");
    TEXT(smtp_result_error_server(r), "error.server");
    NUMBER(smtp_result_error_reply_code(r), "error.reply.code");
    TEXT(smtp_result_error_reply_enhanced(r), "error.reply.enhanced");
    TEXT(smtp_result_error_reply_text(r), "error.reply.text");
    NUMBER(smtp_result_error_transient(r), "error.transient");
    for (i = 0; i < smtp_result_used_count(r); i++) TEXT(smtp_result_used(r, i), "used.%u");
    for (i = 0; i < smtp_result_avoided_count(r); i++) TEXT(smtp_result_avoided(r, i), "avoided.%u");
    for (i = 0, j = 0; i < smtp_result_recipient_count(r); i++) {
        TEXT(smtp_result_recipient_address(r, i), "recipients.%u.address");
        TEXT(smtp_result_recipient_redirected_to(r, i), "recipients.%u.redirected_to");
        TEXT(smtp_outcome_name(smtp_result_recipient_outcome(r, i)), "recipients.%u.outcome");
        TEXT(smtp_result_recipient_step(r, i), "recipients.%u.step");
        NUMBER(smtp_result_recipient_reply_code(r, i), "recipients.%u.reply.code");
        TEXT(smtp_result_recipient_reply_enhanced(r, i), "recipients.%u.reply.enhanced");
        TEXT(smtp_result_recipient_reply_text(r, i), "recipients.%u.reply.text");
        if (smtp_result_recipient_outcome(r, i) != SMTP_REJECTED) continue;
        TEXT(smtp_result_refused_address(r, j), "recipients.%u.address");
        NUMBER(smtp_result_refused_reply_code(r, j), "recipients.%u.reply.code");
        TEXT(smtp_result_refused_reply_enhanced(r, j), "recipients.%u.reply.enhanced");
        TEXT(smtp_result_refused_reply_text(r, j++), "recipients.%u.reply.text");
    }
    for (i = 0; i < smtp_result_attempt_count(r); i++) {
        TEXT(smtp_result_attempt_server(r, i), "attempts.%u.server");
        TEXT(smtp_result_attempt_peer(r, i), "attempts.%u.peer");
        TEXT(smtp_result_attempt_error(r, i), "attempts.%u.error.message");
        TEXT(smtp_result_attempt_error_kind(r, i), "attempts.%u.error.kind");
        TEXT(smtp_result_attempt_error_step(r, i), "attempts.%u.error.step");
        NUMBER(smtp_result_attempt_error_reply_code(r, i), "attempts.%u.error.reply.code");
        TEXT(smtp_result_attempt_error_reply_enhanced(r, i), "attempts.%u.error.reply.enhanced");
        NUMBER(smtp_result_attempt_error_transient(r, i), "attempts.%u.error.transient");
        NUMBER(smtp_result_attempt_tls_verified(r, i) > 0, "attempts.%u.tls.verified");
        NUMBER(smtp_result_attempt_tls_resumed(r, i) > 0, "attempts.%u.tls.resumed");
        TEXT(smtp_result_attempt_tls_why_not(r, i), "attempts.%u.tls.why_not");
        TEXT(smtp_result_attempt_tls_certificate_sha256(r, i), "attempts.%u.tls.certificate_sha256");
        TEXT(smtp_result_attempt_tls_version(r, i), "attempts.%u.tls.version");
        TEXT(smtp_result_attempt_tls_cipher(r, i), "attempts.%u.tls.cipher");
        TEXT(smtp_result_attempt_policy(r, i), "attempts.%u.policy");
        for (j = 0; j < smtp_result_attempt_login_count(r, i); j++) {
            snprintf(path, sizeof path, "attempts.%%u.logins.%u.mechanism", (unsigned)j);
            TEXT(smtp_result_attempt_login_mechanism(r, i, j), path);
            snprintf(path, sizeof path, "attempts.%%u.logins.%u.error.message", (unsigned)j);
            TEXT(smtp_result_attempt_login_error(r, i, j), path);
        }
    }
}

static void print(const smtp_result *r)
{
    size_t i;

    functions_agree(r);
    printf("status = %s\n", state(r));
    if (*smtp_result_error(r) != '\0') {
        printf("error = %s %s %s", smtp_result_error_kind(r), smtp_result_error_step(r),
            smtp_result_error_transient(r) ? "transient" : "permanent");
        code(smtp_result_error_reply_code(r));
        word(smtp_result_error_reply_enhanced(r));
        fputs("\nerror_text =", stdout);
        word(smtp_result_error(r));
        putchar('\n');
    }
    for (i = 0; i < smtp_result_recipient_count(r); i++) {
        printf("recipient = %s %s %s", smtp_result_recipient_address(r, i),
            smtp_outcome_name(smtp_result_recipient_outcome(r, i)), smtp_result_recipient_step(r, i));
        code(smtp_result_recipient_reply_code(r, i));
        word(smtp_result_recipient_reply_enhanced(r, i));
        putchar('\n');
    }
    for (i = 0; i < smtp_result_refused_count(r); i++) {
        printf("refused = %s", smtp_result_refused_address(r, i));
        code(smtp_result_refused_reply_code(r, i));
        word(smtp_result_refused_reply_text(r, i));
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
            smtp_result_attempt_error_step(r, i), smtp_result_attempt_error_transient(r, i) ? "transient" : "permanent");
        code(smtp_result_attempt_error_reply_code(r, i));
        word(smtp_result_attempt_error_reply_enhanced(r, i));
        putchar('\n');
    }
    fputs("used =", stdout);
    for (i = 0; i < smtp_result_used_count(r); i++) word(smtp_result_used(r, i));
    fputs("\navoided =", stdout);
    for (i = 0; i < smtp_result_avoided_count(r); i++) word(smtp_result_avoided(r, i));
    putchar('\n');
    fields("", smtp_result_value(r));
}

static int told(const smtp_options *options, int status)
{
    printf("status = error\nerror = %s setup permanent - -\nerror_text = %s\n", smtp_code_name(status),
        smtp_options_error(options));
    return status;
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
        if (status != SMTP_OK) return told(options, status);
        at = value + strlen(value) + 1;
    }
    return SMTP_OK;
}

/* What is left of the file `tokens`: reason NUL token NUL. */
typedef struct Tokens {
    const char *at, *end;
    int later; /* each answer comes when it is asked for the second time */
} Tokens;

static int asked; /* and not answered */

static int64_t fails(char *buffer, size_t size, const char *why, const char *more)
{
    snprintf(buffer, size, "%s%s", why, more);
    return -1;
}

static int64_t token(void *user_data, int reason, char *buffer, size_t size)
{
    Tokens *left = user_data;
    const char *expected = left->at, *given;

    if (left->later && !asked) {
        asked = 1;
        return SMTP_READ_AGAIN;
    }
    asked = 0;
    if (left->at >= left->end) return fails(buffer, size, "it was asked once more than the dialogue has tokens", "");
    given = expected + strlen(expected) + 1;
    left->at = given + strlen(given) + 1;
    if (strcmp(expected, reason == SMTP_TOKEN_REFUSED ? "refused" : "first") != 0) {
        return fails(buffer, size, "it was not asked because of ", expected);
    }
    if (*given == '!') return fails(buffer, size, given + 1, "");
    memcpy(buffer, given, strlen(given));
    return (int64_t)strlen(given);
}

/* What is left of a mechanism in the file `mechanisms`: challenge and answer of each step. */
typedef struct Mechanism {
    const char *at, *end;
    int later;
} Mechanism;

static int64_t step(void *user_data, smtp_login *login, void *response, size_t size)
{
    Mechanism *left = user_data;
    const char *expected = left->at, *answer, *said;
    size_t length;
    const char *challenge = smtp_login_data(login, "challenge", &length);

    if (left->later && !asked) {
        asked = 1;
        return SMTP_READ_AGAIN;
    }
    asked = 0;
    if (left->at >= left->end) return fails(response, size, "it was asked once more than the dialogue has steps", "");
    expected += strlen(expected) + 1; /* after the word `step` */
    answer = expected + strlen(expected) + 1;
    left->at = answer + strlen(answer) + 1;
    if (challenge == NULL) challenge = "-", length = 1;
    if (strlen(expected) != length || memcmp(expected, challenge, length) != 0) {
        return fails(response, size, "it was not asked to answer ", expected);
    }
    if (*answer == '!') return fails(response, size, answer + 1, "");
    if (strncmp(answer, "last", 4) == 0) smtp_login_done(login);
    said = strchr(answer, '+');
    if (said == NULL) return SMTP_LOGIN_SERVER_FIRST;
    memcpy(response, said + 1, strlen(said + 1));
    return (int64_t)strlen(said + 1);
}

/* Adds the mechanisms of the file: `mechanism` NUL name NUL shows or hides NUL, and `step` NUL challenge NUL answer NUL for each step. */
static int add_mechanisms(smtp_options *options, const char *data, size_t length, int later)
{
    const char *at = data, *end = data + length;

    while (at < end) {
        const char *name = at + strlen(at) + 1, *hides = name + strlen(name) + 1;
        Mechanism *one = malloc(sizeof *one);
        int status;

        if (one == NULL) exit(2);
        at = hides + strlen(hides) + 1;
        one->at = at;
        one->later = later;
        while (at < end && strcmp(at, "step") == 0) {
            int i;

            for (i = 0; i < 3; i++) at += strlen(at) + 1;
        }
        one->end = at;
        status = smtp_options_add_mechanism(options, name, strcmp(hides, "hides") != 0, step, one, free);
        if (status != SMTP_OK) return told(options, status);
    }
    return SMTP_OK;
}

static int there_is(const char *folder, const char *name)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "r");
    if (file != NULL) fclose(file);
    return file != NULL;
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
    poll(&p, 1, asked ? 0 : (int)wait);
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

/* What a dialogue has as option commit: it fails where there are words. */
static int on_commit(void *user_data, smtp_ready *ready)
{
    const char *words = user_data;
    size_t i, j;

    for (i = 0; i < smtp_ready_count(ready); i++) {
        printf("commit = %lu", (unsigned long)smtp_ready_attempt(ready, i));
        word(smtp_ready_tag(ready, i));
        word(smtp_ready_message_id(ready, i));
        for (j = 0; j < smtp_ready_recipients(ready, i); j++) word(smtp_ready_recipient(ready, i, j));
        putchar('\n');
    }
    return *words != '\0' ? smtp_ready_fail(ready, words) : 0;
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
    char *data = read_file(folder, "message", &length), *given = NULL, *mechanisms = NULL;
    Tokens tokens;
    int status = SMTP_OK;

    smtp_message_set_message(message, data, length);
    free(data);
    if (there_is(folder, "tokens")) {
        given = read_file(folder, "tokens", &length);
        tokens.at = given;
        tokens.end = given + length;
        tokens.later = watched;
        smtp_options_set_oauthtoken(options, token, &tokens, NULL);
    }
    if (there_is(folder, "commit")) {
        data = read_file(folder, "commit", &length);
        smtp_options_set_commit(options, on_commit, data, free);
    }
    if (there_is(folder, "mechanisms")) {
        mechanisms = read_file(folder, "mechanisms", &length);
        status = add_mechanisms(options, mechanisms, length, watched);
    }
    data = read_file(folder, "options", &length);
    if (status == SMTP_OK && set_options(options, data, length) == SMTP_OK) {
        if (pause >= 0) result = (watched ? send_again_watched : send_again)(message, options, pause);
        else if (watched) result = send_watched(message, options);
        else smtp_sendmessage(message, options, &result);
        print(result);
        smtp_result_free(result);
    }
    free(data);
    free(given);
    smtp_options_free(options);
    free(mechanisms);
    smtp_message_free(message);
    return 0;
}

/* random CASES [SEED]: the functions in any order, with any arguments that the header allows and many that it does not. Nothing
 * must crash, no loop may be left asleep, and what is given must be readable; sanitizers and valgrind look for the rest. What
 * an event loop hears, whoever has the socket, comes from a server that answers anything. Prints `N passed, N failed`. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <fcntl.h>
#include <libsmtp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define POOL 4
#define STEPS 60
#define HANGS 20000 /* whoever sleeps for so long, in ms, was not told of something */

static uint64_t state;

static unsigned pick(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 33) % below);
}

static const char *const words[] = {
    NULL, "", "a", "a@b.example", "A <a@b.example>, c@d.example", "bad\r\naddress", "\303\251", "\377\376", "text/plain; charset=utf-8",
    "image/png", "mixed", "Subject", "To", "From: a@b.example\r\nTo: c@d.example\r\n\r\nHello.\r\n", "X-Y", "x: y", "localhost", "127.0.0.1",
    "smtps://[::1]:465", "unix:/nonexistent", "servers", "recipients", "timeout", "tlsrequired", "usetls", "false", "true", "0.01", "60",
    "lmtp", "username", "password", "secret", "dsnnotify", "failure", "hdrs", "a b c d", "/nonexistent/file", "/", "PLAIN", "NOOP",
    "RSET", "VRFY a", "SIZE=1", "BODY=8BITMIME", "=?utf-8?q?x?=", "cid@x", "group: a@b, c@d;", "multipart/mixed", "1.2", "auth",
};

static const char *word(void) { return words[pick(sizeof words / sizeof *words)]; }

/* The words of a server: what leads on is likelier. */
static const char *const replies[] = {
    "220 s.example ESMTP\r\n", "250 2.0.0 Ok\r\n", "250 2.0.0 Ok\r\n", "250 2.0.0 Ok: queued as 4ABC\r\n", "354 go on\r\n",
    "250-s\r\n250-PIPELINING\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN CRAM-MD5\r\n250 SIZE 1000\r\n", "550 5.1.1 no\r\n",
    "421 closing\r\n", "334 \r\n", "235 welcome\r\n", "x\r\n", "250-", "\377\n", "250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n354 x\r\n",
};

static smtp_message *messages[POOL];
static smtp_options *options[POOL];
static smtp_result *results[POOL];
static smtp_engine *engines[POOL];
static smtp_cancel *cancels[POOL];
static unsigned long sum; /* of everything read, so that nothing is optimized away */

static void read_string(const char *text)
{
    if (text == NULL) {
        fprintf(stderr, "a string is NULL\n");
        abort();
    }
    for (; *text != '\0'; text++) sum += (unsigned char)*text;
}

static void read_octets(const void *data, size_t length)
{
    const unsigned char *at = data;

    while (length-- > 0) sum += *at++;
}

static int released; /* how many callbacks were set and not yet released */

static void release(void *user_data)
{
    (void)user_data;
    released--;
}

static int64_t read_some(void *user_data, void *buffer, size_t length)
{
    (void)user_data;
    switch (pick(4)) {
    case 0: return 0;
    case 1: return pick(2) ? SMTP_READ_AGAIN : -1;
    default:
        if (length > 100) length = pick(100) + 1;
        memset(buffer, pick(2) ? 'x' : '\n', length);
        return (int64_t)length;
    }
}

static int write_some(void *user_data, const void *data, size_t length)
{
    (void)user_data;
    read_octets(data, length);
    return pick(20) == 0;
}

static int policy(void *user_data, int code, const char *diagnostic)
{
    (void)user_data;
    sum += (unsigned)code;
    read_string(diagnostic);
    return pick(2) ? SMTP_SECURE : SMTP_INSECURE;
}

static void transcript(void *user_data, int direction, const char *line)
{
    (void)user_data;
    sum += (unsigned)direction;
    read_string(line);
}

static void use_message(void)
{
    smtp_message **slot = &messages[pick(POOL)], *m = *slot;
    const char *a = word(), *b = word(), *out = NULL;
    size_t length = a == NULL ? pick(2) : strlen(a);
    int64_t size;

    switch (pick(26)) {
    case 0: smtp_message_free(m); *slot = smtp_message_new(); break;
    case 1: *slot = smtp_message_copy(m); smtp_message_free(m); break;
    case 2: smtp_message_set_text(m, a, length); break;
    case 3: smtp_message_set_html(m, a, length); break;
    case 4: case 5: smtp_message_set_message(m, a, length); break;
    case 6: smtp_message_set_message_file(m, a); break;
    case 7:
        released++;
        smtp_message_set_message_reader(m, read_some, NULL, NULL, release, pick(2) ? -1 : (int64_t)pick(300));
        break;
    case 8: smtp_message_set_part(m, a); break;
    case 9: smtp_message_set_body(m, a, length); break;
    case 10: smtp_message_set_body_file(m, a); break;
    case 11:
        released++;
        smtp_message_set_body_reader(m, read_some, NULL, NULL, release, -1);
        break;
    case 12: smtp_message_set_parameter(m, a, b); break;
    case 13: smtp_message_set_encoding(m, (int)pick(8) - 1); break;
    case 14: smtp_message_set_multipart(m, a); break;
    case 15: smtp_message_add_part(m, messages[pick(POOL)]); break;
    case 16: smtp_message_set_rfc822(m, messages[pick(POOL)]); break;
    case 17: smtp_message_add_html(m, a); break;
    case 18: smtp_message_attach(m, a, b, a, length); break;
    case 19:
        if (smtp_message_inline(m, "x.png", a, b, b == NULL ? 0 : strlen(b), word(), &out) == SMTP_OK) read_string(out);
        break;
    case 20: smtp_message_set_header(m, a, b); break;
    case 21: smtp_message_add_header(m, a, b); break;
    case 22: smtp_message_delete_header(m, a); break;
    case 23: if (smtp_message_header(m, a, pick(3), &out) == SMTP_OK && out != NULL) read_string(out); break;
    case 24: smtp_message_size(m, &size); smtp_message_write(m, write_some, NULL); break;
    default: if (smtp_message_header_name(m, pick(5), &out) == SMTP_OK && out != NULL) read_string(out); break;
    }
    if (*slot != NULL) read_string(smtp_message_error(*slot));
}

static void use_options(void)
{
    smtp_options **slot = &options[pick(POOL)], *o = *slot;
    const char *name = smtp_option_name(pick(60)), *a = word();

    switch (pick(13)) {
    case 0: smtp_options_free(o); *slot = smtp_options_new(); break;
    case 1: *slot = smtp_options_copy(o); smtp_options_free(o); break;
    case 2: case 3: case 4:
        /* One prints, and one makes a file of that name. */
        if (name != NULL && strcmp(name, "debug") != 0 && strcmp(name, "tlskeylog") != 0) smtp_options_set(o, name, a);
        break;
    case 5: if (a == NULL || strcmp(a, "debug") != 0) smtp_options_set(o, a, word()); break;
    case 6: smtp_options_add_server(o, a, pick(3)); break;
    case 7: smtp_options_set_recipients(o, a); smtp_options_add_recipient(o, word()); break;
    case 8: smtp_options_add_header(o, a, word()); break;
    case 9: smtp_options_set_login(o, a, word()); break;
    case 10: released++; smtp_options_set_tlspolicy(o, policy, NULL, release); break;
    case 11: released++; smtp_options_set_transcript(o, transcript, NULL, release); break;
    default: smtp_options_set_cancel(o, cancels[pick(POOL)]); break;
    }
    if (*slot != NULL) read_string(smtp_options_error(*slot));
}

static void keep(smtp_result *result)
{
    smtp_result **slot = &results[pick(POOL)];

    smtp_result_free(*slot);
    *slot = result;
}

static void use_result(void)
{
    const smtp_result *r = results[pick(POOL)];
    size_t i, j;

    sum += (unsigned)smtp_result_status(r);
    read_string(smtp_result_json(r));
    read_string(smtp_result_error(r));
    read_string(smtp_result_error_reply_text(r));
    read_string(smtp_result_queue_id(r));
    for (i = 0; i <= smtp_result_recipient_count(r); i++) {
        read_string(smtp_result_recipient_address(r, i));
        read_string(smtp_result_recipient_reply_text(r, i));
        sum += (unsigned)smtp_result_recipient_outcome(r, i);
    }
    for (i = 0; i <= smtp_result_attempt_count(r); i++) {
        read_string(smtp_result_attempt_server(r, i));
        for (j = 0; j <= smtp_result_attempt_login_count(r, i); j++) read_string(smtp_result_attempt_login_error(r, i, j));
    }
    for (i = 0; i <= smtp_result_refused_count(r); i++) read_string(smtp_result_refused_reply_text(r, i));
}

static const char *said(void) { return replies[pick(8) ? pick(6) : pick(sizeof replies / sizeof *replies)]; }

/* The server on this machine, whose turn comes between the calls. */
static int listener = -1, connections[8];
static unsigned short port;

static void listens(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    size_t i;

    for (i = 0; i < sizeof connections / sizeof *connections; i++) connections[i] = -1;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 64) != 0) abort();
    getsockname(listener, (struct sockaddr *)&address, &size);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    port = ntohs(address.sin_port);
}

static void serve(void)
{
    int *one = &connections[pick(sizeof connections / sizeof *connections)];
    const char *reply = said();
    char heard[4096];

    if (*one < 0) *one = accept(listener, NULL, NULL);
    if (*one < 0) return;
    while (recv(*one, heard, sizeof heard, MSG_DONTWAIT) > 0) continue;
    if (pick(10)) {
        send(*one, reply, strlen(reply), MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        close(*one);
        *one = -1;
    }
}

static void leaves(void)
{
    size_t i;

    for (i = 0; i < sizeof connections / sizeof *connections; i++) {
        if (connections[i] >= 0) close(connections[i]);
    }
}

/* Whoever comes is sent away. That is not left to close(listener): a connection that another thread is just making then stays
 * open on its side alone, and hears nothing. */
static void turn_away(void)
{
    int one;

    while ((one = accept(listener, NULL, NULL)) >= 0) close(one);
}

/* The server talks to nobody any more, so an engine that is watched comes to its end. */
static void watch(smtp_engine *e)
{
    if (smtp_engine_timeout(e) != 0 && smtp_engine_fd(e) < 0) return; /* the octets were moved by hand, or it is over */
    do {
        int64_t wait = smtp_engine_timeout(e);
        int interest = smtp_engine_interest(e);
        struct pollfd p[2];

        p[0].fd = smtp_engine_fd(e);
        p[0].events = (short)((interest & SMTP_READ ? POLLIN : 0) | (interest & SMTP_WRITE ? POLLOUT : 0));
        p[1].fd = listener;
        p[1].events = POLLIN;
        p[0].revents = p[1].revents = 0;
        /* A name that takes long to resolve is not what this is about. */
        if (strcmp(smtp_engine_host(e), "127.0.0.1") != 0) smtp_engine_abort(e, NULL);
        else if (poll(p, 2, wait < 0 || wait > HANGS ? HANGS : (int)wait) == 0 && (wait < 0 || wait > HANGS)) {
            fprintf(stderr, "a loop was left asleep\n");
            abort();
        }
        turn_away();
    } while (smtp_engine_ready(e, (int)pick(4)) == SMTP_EXCHANGE);
}

static void feed(smtp_engine *e)
{
    const void *data = NULL;
    size_t length = 0;
    const char *reply = said();

    if (smtp_engine_output(e, &data, &length) == SMTP_OK) {
        read_octets(data, length);
        smtp_engine_output_done(e, pick(4) ? length : pick((unsigned)length + 3));
    }
    smtp_engine_input(e, reply, strlen(reply));
}

static void use_engine(void)
{
    static int ended[POOL]; /* it was told that it is done */
    unsigned at = pick(POOL);
    smtp_engine **slot = &engines[at], *e = *slot;
    smtp_result *result = NULL;
    int64_t ticket;

    switch (pick(32)) {
    case 0: case 1:
        smtp_engine_free(e);
        *slot = NULL;
        ended[at] = 0;
        smtp_engine_new(messages[pick(POOL)], options[pick(POOL)], slot);
        break;
    case 2: case 3:
        smtp_engine_free(e);
        *slot = NULL;
        ended[at] = 0;
        smtp_engine_new_session("127.0.0.1", pick(3) ? port : (uint16_t)pick(3), options[pick(POOL)], slot);
        break;
    case 4: case 5: smtp_engine_connected(e, -1); break;
    case 6: smtp_engine_connect_failed(e, word()); break;
    case 7: smtp_engine_eof(e); break;
    case 8: smtp_engine_failed(e, word()); break;
    case 9: sum += (unsigned)smtp_engine_timeout(e); smtp_engine_timed_out(e); break;
    case 10: smtp_engine_abort(e, word()); break;
    case 11: smtp_engine_result(e, &result); keep(result); break;
    case 12: smtp_engine_ask_mail(e, word(), word()); smtp_engine_ask_rcpt(e, word(), word()); break;
    case 13: smtp_engine_ask_command(e, word()); break;
    case 14: smtp_engine_ask_data(e, "Subject: x\r\n\r\nx\r\n", pick(18)); break;
    case 15: smtp_engine_ask_starttls(e); break;
    case 16: smtp_engine_ask_login(e, word(), word(), word()); break;
    case 17: smtp_engine_ask_sendmessage(e, messages[pick(POOL)], options[pick(POOL)]); break;
    case 18: smtp_engine_ask_introduce(e); smtp_engine_ask_ehlo(e, word()); break;
    case 19:
        while (smtp_engine_answer(e, &ticket) == 1) {
            read_string(smtp_engine_answer_text(e));
            read_string(smtp_engine_answer_error(e));
            result = NULL;
            smtp_engine_answer_result(e, &result);
            keep(result);
        }
        break;
    case 20: smtp_engine_part(e); break;
    case 21: case 22: case 23: case 24: case 25: case 26: case 27: case 28:
        if (e == NULL || strcmp(smtp_engine_host(e), "127.0.0.1") == 0) {
            if (smtp_engine_ready(e, (int)pick(5)) == SMTP_DONE) ended[at] = 1;
        }
        serve();
        break;
    default: feed(e); break;
    }
    if (*slot != NULL) {
        int64_t wait = smtp_engine_timeout(*slot);
        int action = smtp_engine_action(*slot);

        if (action == SMTP_DONE && !ended[at] && wait != 0) {
            fprintf(stderr, "a loop would not hear that it is over\n");
            abort();
        }
        ended[at] = action == SMTP_DONE;
        sum += (unsigned)smtp_engine_fd(*slot);
        read_string(smtp_engine_ask_error(*slot));
        read_string(smtp_engine_host(*slot));
        read_string(smtp_engine_extensions(*slot));
    }
}

static void others(void)
{
    smtp_cancel **cancel = &cancels[pick(POOL)];
    smtp_addresses *addresses = NULL;
    smtp_result *result = NULL;
    size_t i;

    switch (pick(6)) {
    case 0: smtp_cancel_free(*cancel); *cancel = smtp_cancel_new(); break;
    case 1: smtp_cancel_trigger(*cancel); break;
    case 2: smtp_cancel_reset(*cancel); break;
    case 3:
        smtp_address_parse(word(), &addresses);
        for (i = 0; i <= smtp_addresses_count(addresses); i++) read_string(smtp_addresses_addr_spec(addresses, i));
        smtp_addresses_free(addresses);
        break;
    case 4:
        /* Without a network: a message that is wrong, or a call that is cancelled. */
        smtp_cancel_trigger(cancels[0]);
        if (cancels[0] != NULL && smtp_options_set_cancel(options[0], cancels[0]) == SMTP_OK) {
            smtp_sendmessage(messages[pick(POOL)], options[0], &result);
            keep(result);
        }
        break;
    default: read_string(smtp_code_text((int)pick(40) - 30)); read_string(smtp_outcome_name((int)pick(8) - 2)); break;
    }
}

static void one_case(void)
{
    int i;

    listens();
    for (i = 0; i < STEPS; i++) {
        switch (pick(5)) {
        case 0: use_message(); break;
        case 1: use_options(); break;
        case 2: case 3: use_engine(); break;
        default: if (pick(3)) others(); else use_result(); break;
        }
    }
    leaves();
    for (i = 0; i < POOL; i++) {
        if (pick(2)) smtp_engine_abort(engines[i], NULL);
        if (engines[i] != NULL) watch(engines[i]);
        smtp_engine_free(engines[i]);
        smtp_message_free(messages[i]);
        smtp_options_free(options[i]);
        smtp_result_free(results[i]);
        smtp_cancel_free(cancels[i]);
        engines[i] = NULL;
        messages[i] = NULL;
        options[i] = NULL;
        results[i] = NULL;
        cancels[i] = NULL;
    }
    close(listener);
}

int main(int argc, char **argv)
{
    long cases = argc > 1 ? atol(argv[1]) : 1000, i, failed = 0;
    uint64_t seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;

    for (i = 0; i < cases; i++) {
        int p;

        state = (seed + (uint64_t)i) * 0x9e3779b97f4a7c15u | 1;
        /* The first objects are there; NULL comes when one is freed. */
        for (p = 0; p < POOL; p++) {
            messages[p] = smtp_message_new();
            options[p] = smtp_options_new();
            smtp_message_set_message(messages[p], words[13], strlen(words[13]));
        }
        released = 0;
        one_case();
        if (released != 0) {
            fprintf(stderr, "seed %lu: %d callbacks were not released once each\n", (unsigned long)(seed + (uint64_t)i), released);
            failed++;
        }
    }
    printf("%ld passed, %ld failed\n", cases - failed, failed);
    return failed != 0;
}

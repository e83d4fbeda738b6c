/* What the functions that the library calls may do to what has called them: a TLS policy, a transcript, a reader, a commit, the giver
 * of access tokens and a login mechanism end it, free it, cancel it, or fork. Whoever ends it there says nothing more to the server, whatever is answered. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A server for one connection, which refuses STARTTLS, takes all else, and keeps what it heard. */
typedef struct {
    int fd;
    char heard[4000];
    pthread_t thread;
} recorder;

static void *records(void *data)
{
    static const char greeting[] = "220 s.example\r\n";
    recorder *r = data;
    int fd = accept(r->fd, NULL, NULL), content = 0;
    size_t length = 0, begin = 0;

    send(fd, greeting, sizeof greeting - 1, MSG_NOSIGNAL);
    while (length + 1 < sizeof r->heard && recv(fd, r->heard + length, 1, 0) == 1) {
        const char *line = r->heard + begin, *reply = "250 2.0.0 ok\r\n";

        if (r->heard[length++] != '\n') continue;
        if (content && strncmp(line, ".\r", 2) != 0) reply = "";
        else if (strncmp(line, "EHLO", 4) == 0) reply = "250-s.example\r\n250-STARTTLS\r\n250 AUTH XOAUTH2 X-SITE\r\n";
        else if (strncmp(line, "STAR", 4) == 0) reply = "454 4.7.0 not now\r\n";
        else if (strncmp(line, "AUTH X-", 7) == 0) reply = "334 Zm9v\r\n";
        else if (strncmp(line, "YmFy", 4) == 0) reply = "535 5.7.8 not you\r\n";
        else if (strncmp(line, "AUTH", 4) == 0) reply = "235 2.7.0 welcome\r\n";
        else if (strncmp(line, "DATA", 4) == 0) reply = "354 go on\r\n";
        else if (strncmp(line, "QUIT", 4) == 0) reply = "221 2.0.0 bye\r\n";
        content = strncmp(line, "DATA", 4) == 0 || (content && strncmp(line, ".\r", 2) != 0);
        begin = length;
        send(fd, reply, strlen(reply), MSG_NOSIGNAL);
    }
    r->heard[length] = '\0';
    close(fd);
    return NULL;
}

#define SENT 3 /* the status of a child that has sent its parent's message */

enum act { NOTHING, ABORT, FREE, CANCEL, FORK, RETURN };

/* What is done at a place, once: the engine or the mailer that has called, and the process that began. */
typedef struct {
    const char *place;
    enum act act;
    smtp_engine *engine;
    smtp_session *session;
    smtp_mailer *mailer;
    smtp_cancel *cancel;
    unsigned short port; /* of the server */
    pid_t parent, child;
    int reached;
    int freed[2]; /* a pipe: an octet when the mailer was freed */
} inside;

static int busy(int code)
{
    return code == SMTP_ERR_BUSY || code == SMTP_ERR_USAGE;
}

/* All that it has of its parent's is busy, or is not its own; what it makes itself works. */
static int child_inside(void *data)
{
    inside *in = data;
    smtp_message *m = mail();
    smtp_options *o = to_sink();
    int bad = 0;

    if (in->engine != NULL) {
        bad |= !busy(smtp_engine_ready(in->engine, 0)) << 0;
        smtp_engine_free(in->engine);
    }
    if (in->session != NULL) {
        bad |= !busy(smtp_session_noop(in->session)) << 1;
        smtp_session_close(in->session);
    }
    if (in->mailer != NULL) {
        bad |= !busy((int)smtp_mailer_try_submit(in->mailer, m, NULL, NULL)) << 2;
        bad |= (smtp_mailer_close(in->mailer, 1000) < 0 && !busy(smtp_mailer_close(in->mailer, 1000))) << 3;
        smtp_mailer_free(in->mailer);
    }
    bad |= (smtp_sendmessage(m, o, NULL) != SMTP_OK) << 4;
    smtp_options_free(o);
    smtp_message_free(m);
    return bad;
}

static void here(inside *in, const char *place)
{
    if (strcmp(place, in->place) != 0 || in->reached++) return;
    switch (in->act) {
    case NOTHING: break;
    case ABORT: CODE(smtp_engine_abort(in->engine, "enough"), SMTP_OK); break;
    case FREE:
        smtp_engine_free(in->engine);
        smtp_session_free(in->session);
        in->engine = NULL;
        in->session = NULL;
        if (in->mailer == NULL) break;
        smtp_mailer_free(in->mailer);
        CODE(write(in->freed[1], "", 1), 1);
        break;
    case CANCEL: smtp_cancel_trigger(in->cancel); break;
    case FORK: both(child_inside, in); break;
    case RETURN:
        fflush(stdout);
        in->child = fork();
        if (in->child == 0) alarm(60);
        break;
    }
}

static int policy(void *user_data, int code, const char *diagnostic)
{
    (void)code, (void)diagnostic;
    here(user_data, "policy");
    return SMTP_INSECURE;
}

static int64_t token(void *user_data, int reason, char *buffer, size_t size)
{
    (void)reason, (void)size;
    here(user_data, "token");
    memcpy(buffer, "t0ken", 5);
    return 5;
}

static int64_t mechanism(void *user_data, smtp_login *login, void *response, size_t size)
{
    int begins = smtp_login_data(login, "challenge", NULL) == NULL;

    (void)size;
    here(user_data, begins ? "mechanism" : "challenge");
    if (begins) return SMTP_LOGIN_SERVER_FIRST;
    smtp_login_done(login);
    memcpy(response, "bar", 3);
    return 3;
}

static int commits(void *user_data, smtp_ready *ready)
{
    (void)ready;
    here(user_data, "commit");
    return 0;
}

static void hears(void *user_data, int direction, const char *line)
{
    char place[7] = "S ";

    if (direction == SMTP_NOTE) return;
    if (direction == SMTP_CLIENT) place[0] = 'C';
    strncat(place, line, 4);
    here(user_data, place);
}

static int64_t reads(void *user_data, void *buffer, size_t size)
{
    static const char *const pieces[] = {"From: a@a.example\nTo: b@b.example\n\n", "Hello.\n", ""};
    static int at;
    const char *piece;

    (void)size;
    if (user_data == NULL) return at = 0; /* from the beginning */
    if (at == 1) here(user_data, "body");
    piece = pieces[at < 2 ? at++ : 2];
    memcpy(buffer, piece, strlen(piece));
    return (int64_t)strlen(piece);
}

/* The ways to send a message; each gives its status. */
static int blocking(inside *in, const smtp_message *m, const smtp_options *o)
{
    (void)in;
    return smtp_sendmessage(m, o, NULL);
}

static int session(inside *in, const smtp_message *m, const smtp_options *o)
{
    smtp_session *s;
    int status = smtp_session_open("127.0.0.1", in->port, o, &s);

    in->session = s;
    if (status == SMTP_OK) status = smtp_session_sendmessage(s, m, NULL, NULL);
    if (in->act != FREE) smtp_session_close(s);
    return status;
}

static int end(inside *in)
{
    smtp_result *r = NULL;
    int status = in->engine == NULL ? SMTP_ERR_CANCELLED : smtp_engine_result(in->engine, &r);

    smtp_result_free(r);
    smtp_engine_free(in->engine);
    return status;
}

static int watched(inside *in, const smtp_message *m, const smtp_options *o)
{
    int code = smtp_engine_new(m, o, &in->engine);

    if (code != SMTP_OK) return end(in);
    while (in->engine != NULL && step(in->engine) == SMTP_EXCHANGE) continue;
    return end(in);
}

/* The program has the socket, and hands octets over. */
static int octets(inside *in, const smtp_message *m, const smtp_options *o)
{
    unsigned short its_port = port;
    int fd = -1;
    smtp_engine *e;

    if (smtp_engine_new(m, o, &in->engine) != SMTP_OK) return end(in);
    while ((e = in->engine) != NULL && smtp_engine_action(e) != SMTP_DONE) {
        const void *data;
        size_t length = 0;
        char buffer[4096];

        if (smtp_engine_action(e) == SMTP_DIAL) {
            port = smtp_engine_port(e);
            fd = connected();
            port = its_port;
            CODE(smtp_engine_connected(e, fd), SMTP_OK);
            continue;
        }
        smtp_engine_output(e, &data, &length);
        if (in->engine == NULL) break; /* freed there, and with it the octets */
        if (length > 0) {
            CHECK(write(fd, data, length) == (ssize_t)length);
            smtp_engine_output_done(e, length);
        } else if (smtp_engine_action(e) == SMTP_EXCHANGE) {
            ssize_t n = read(fd, buffer, sizeof buffer);

            if (n > 0) smtp_engine_input(e, buffer, (size_t)n);
            else smtp_engine_eof(e);
        }
    }
    close(fd);
    return end(in);
}

static int queued(inside *in, const smtp_message *m, const smtp_options *o)
{
    smtp_mailer *mailer = NULL;
    smtp_result *r = NULL;
    int64_t ticket;
    int status;

    CODE(smtp_mailer_new(o, &mailer, NULL), SMTP_OK);
    in->mailer = mailer;
    CODE(smtp_mailer_submit(mailer, m, NULL, NULL), 1);
    if (in->act == FREE) {
        char octet;

        CODE(read(in->freed[0], &octet, 1), 1);
        return SMTP_ERR_CANCELLED;
    }
    CODE(smtp_mailer_next(mailer, -1, &ticket, &r), 1);
    status = smtp_result_status(r);
    smtp_result_free(r);
    smtp_mailer_free(mailer);
    return status;
}

static const struct way {
    const char *name;
    int (*sends)(inside *in, const smtp_message *m, const smtp_options *o);
    int is_engine;
    size_t frees; /* the first place where it can be freed */
} ways[] = {{"blocking", blocking, 0, 99}, {"session", session, 0, 1}, {"watched", watched, 1, 0}, {"octets", octets, 1, 0}, {"queued", queued, 0, 0}};

static const struct place {
    const char *name, *last; /* the last line that the server may hear */
} places[] = {{"S 220 ", ""}, {"C EHLO", ""}, {"S 250-", "EHLO"}, {"C STAR", "EHLO"}, {"policy", "STARTTLS"},
    {"mechanism", "STARTTLS"}, {"challenge", "AUTH"}, {"token", "YmFy"}, {"C AUTH", "STARTTLS"}, {"S 235 ", "AUTH"}, {"C MAIL", "AUTH"}, {"C DATA", "RCPT"}, {"S 354 ", "DATA"}, {"body", "DATA"}, {"commit", "Hello."}};

/* The line that was heard last. */
static const char *last_line(const char *heard)
{
    const char *at, *last = heard;

    for (at = heard; *at != '\0'; at++) {
        if (*at == '\n' && at[1] != '\0') last = at + 1;
    }
    return last;
}

static void acts(const struct way *way, const struct place *place, enum act act)
{
    recorder server;
    inside in;
    smtp_options *o;
    smtp_message *m = smtp_message_new();
    int status, before;

    memset(&server, 0, sizeof server);
    memset(&in, 0, sizeof in);
    server.fd = listener(&in.port);
    CODE(pthread_create(&server.thread, NULL, records, &server), 0);
    in.place = place->name;
    in.act = act;
    in.cancel = smtp_cancel_new();
    CODE(pipe(in.freed), 0);
    in.parent = getpid();
    o = to_port(in.port);
    smtp_options_set(o, "username", "ann");
    smtp_options_set_oauthtoken(o, token, &in, NULL);
    smtp_options_add_mechanism(o, "X-SITE", 1, mechanism, &in, NULL);
    smtp_options_set(o, "authinsecure", "1");
    smtp_options_set_tlspolicy(o, policy, &in, NULL);
    smtp_options_set_transcript(o, hears, &in, NULL);
    smtp_options_set_commit(o, commits, &in, NULL);
    if (act == CANCEL) smtp_options_set_cancel(o, in.cancel);
    reads(NULL, NULL, 0);
    smtp_message_set_message_reader(m, reads, NULL, &in, NULL, -1);
    status = way->sends(&in, m, o);
    if (getpid() != in.parent) { /* a child that came back: it was told so, and said nothing */
        _exit(status == SMTP_OK || status == SMTP_PARTIAL ? SENT : 0);
    }
    if (in.child > 0) {
        int ended = -1;

        waitpid(in.child, &ended, 0);
        /* A leak checker has a status of its own for the memory of threads that the child does not have. */
        CHECK(WIFEXITED(ended) && WEXITSTATUS(ended) != SENT);
    }
    pthread_join(server.thread, NULL);
    CODE(in.reached > 0, 1);
    if (act == NOTHING || act == FORK || act == RETURN) {
        CODE(status, SMTP_OK);
        PART(server.heard, "QUIT\r\n");
        before = strstr(server.heard, "MAIL FROM") != NULL && strstr(strstr(server.heard, "MAIL FROM") + 1, "MAIL") == NULL;
    } else {
        CODE(status, SMTP_ERR_CANCELLED);
        before = *place->last == '\0' ? *server.heard == '\0' : strncmp(last_line(server.heard), place->last, strlen(place->last)) == 0;
    }
    CHECK(before);
    if (!before) printf("%s, at %s, act %d: the server heard\n%s", way->name, place->name, act, server.heard);
    close(server.fd);
    close(in.freed[0]);
    close(in.freed[1]);
    smtp_cancel_free(in.cancel);
    smtp_options_free(o);
    smtp_message_free(m);
}

int main(int argc, char **argv)
{
    size_t i, j;

    begin(argc, argv);
    for (i = 0; i < sizeof ways / sizeof *ways; i++) {
        for (j = 0; j < sizeof places / sizeof *places; j++) {
            acts(&ways[i], &places[j], CANCEL);
            acts(&ways[i], &places[j], NOTHING);
            if (ways[i].is_engine) acts(&ways[i], &places[j], ABORT);
            if (j >= ways[i].frees) acts(&ways[i], &places[j], FREE);
            if (j % 5 == 4 || strcmp(places[j].name, "challenge") == 0) {
                acts(&ways[i], &places[j], FORK);
                acts(&ways[i], &places[j], RETURN);
            }
        }
    }
    return summary();
}

/* Sessions whose server speaks while they are idle. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A server that says something while nobody asked it anything. */
typedef struct {
    int fd;
    const char *words;
    sem_t go, said;
    int mails; /* MAIL that it heard */
} speaker;

static int line(int fd, char *into, size_t size)
{
    size_t n = 0;

    while (n + 1 < size && recv(fd, into + n, 1, 0) == 1) {
        if (into[n++] == '\n') break;
    }
    into[n] = '\0';
    return n > 0;
}

static void *speak(void *data)
{
    static const struct timespec moment = {0, 1000000};
    static const char greeting[] = "220 s.example\r\n", ok[] = "250 s.example\r\n";
    speaker *s = data;
    int fd = accept(s->fd, NULL, NULL), left = 0;
    char text[1000];

    send(fd, greeting, sizeof greeting - 1, MSG_NOSIGNAL);
    line(fd, text, sizeof text); /* EHLO */
    send(fd, ok, sizeof ok - 1, MSG_NOSIGNAL);
    sem_wait(&s->go);
    send(fd, s->words, strlen(s->words), MSG_NOSIGNAL);
    while (ioctl(fd, TIOCOUTQ, &left) == 0 && left > 0) nanosleep(&moment, NULL); /* until the other end has it */
    sem_post(&s->said);
    while (line(fd, text, sizeof text)) {
        s->mails += strncmp(text, "MAIL", 4) == 0;
        send(fd, ok, sizeof ok - 1, MSG_NOSIGNAL);
    }
    close(fd);
    return NULL;
}

static const struct {
    const char *words, *heard;
    int status;
} unasked[] = {
    {"451 4.4.2 Timeout waiting for data from client.\r\n", "Timeout waiting for data from client.", SMTP_ERR_CLOSED},
    {"421 4.4.2 bye\r\n", "bye", SMTP_ERR_CLOSED},
    {"554 5.7.1 go away\r\n", "go away", SMTP_ERR_CLOSED},
    {"250 2.0.0 stray\r\n", "stray", SMTP_ERR_PROTOCOL},
    {"235 2.7.0 stray\r\n", "stray", SMTP_ERR_PROTOCOL},
    {"nonsense\r\n", "", SMTP_ERR_PROTOCOL},
};

static void not_sent(const smtp_result *r, size_t i)
{
    CODE(smtp_result_status(r), unasked[i].status);
    CODE(smtp_result_error_transient(r), 1);
    PART(smtp_result_error(r), unasked[i].heard);
    CODE(smtp_result_recipient_count(r), 1);
    CODE(smtp_result_recipient_outcome(r, 0), SMTP_NOT_SENT);
}

/* Idle by now, the server has spoken, and what it said has arrived. */
static void spoken(speaker *s)
{
    sem_post(&s->go);
    sem_wait(&s->said);
}

static void spoken_to(size_t i, int watched)
{
    smtp_message *m = mail();
    smtp_options *o;
    smtp_result *r = NULL;
    speaker s;
    pthread_t thread;
    unsigned short its_port;

    memset(&s, 0, sizeof s);
    s.fd = listener(&its_port);
    s.words = unasked[i].words;
    sem_init(&s.go, 0, 0);
    sem_init(&s.said, 0, 0);
    CODE(pthread_create(&thread, NULL, speak, &s), 0);
    o = to_port(its_port);
    if (watched) {
        smtp_engine *e = NULL;

        CODE(smtp_engine_new_session("127.0.0.1", its_port, o, &e), SMTP_OK);
        CODE(answered(e), 0);
        CHECK(smtp_engine_ask_introduce(e) > 0);
        CHECK(answered(e) > 0);
        CODE(smtp_engine_answer_status(e), SMTP_OK);
        spoken(&s);
        CHECK(smtp_engine_ask_sendmessage(e, m, o) > 0); /* before the loop saw it */
        CHECK(answered(e) > 0);
        CODE(smtp_engine_answer_result(e, &r), unasked[i].status);
        not_sent(r, i);
        smtp_engine_free(e);
    } else {
        smtp_session *session = NULL;

        CODE(smtp_session_open("127.0.0.1", its_port, o, &session), SMTP_OK);
        CODE(smtp_session_ehlo(session, NULL), 250);
        spoken(&s);
        CODE(smtp_session_sendmessage(session, m, o, &r), unasked[i].status);
        not_sent(r, i);
        CODE(smtp_session_is_open(session), 0);
        smtp_session_close(session);
    }
    smtp_result_free(r);
    pthread_join(thread, NULL);
    CODE(s.mails, 0);
    close(s.fd);
    sem_destroy(&s.go);
    sem_destroy(&s.said);
    smtp_message_free(m);
    smtp_options_free(o);
}

static void unasked_words(void)
{
    size_t i;

    for (i = 0; i < sizeof unasked / sizeof *unasked; i++) {
        spoken_to(i, 0);
        spoken_to(i, 1);
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    unasked_words();
    return summary();
}

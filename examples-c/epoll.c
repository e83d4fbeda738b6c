/* epoll SERVER RECIPIENT COUNT: several messages over one session, by epoll (Linux).
 *
 * What is asked is done in its order, and each answer names its ticket: here the n-th message has the n-th ticket after
 * the first. */
#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Watches what the engine wants watched, in place of what it wanted before; level-triggered, as epoll is by itself. */
static int watch(int loop, smtp_engine *engine, int before)
{
    int fd = smtp_engine_fd(engine), interest = smtp_engine_interest(engine);
    struct epoll_event event;

    memset(&event, 0, sizeof event);
    event.events = (interest & SMTP_READ ? EPOLLIN : 0) | (interest & SMTP_WRITE ? EPOLLOUT : 0);
    if (before >= 0 && before != fd) epoll_ctl(loop, EPOLL_CTL_DEL, before, NULL);
    if (fd >= 0) epoll_ctl(loop, before == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    return fd;
}

/* Takes the answers that are there, and gives how many say that a message was sent; says QUIT after the last one. */
static int answers(smtp_engine *engine, int64_t first, int64_t last)
{
    int64_t ticket;
    int sent = 0;

    while (smtp_engine_answer(engine, &ticket) == 1) {
        int status = smtp_engine_answer_status(engine);

        if (ticket < first) continue; /* the greeting */
        printf("message %d: %s %s\n", (int)(ticket - first) + 1, smtp_code_name(status), smtp_engine_answer_error(engine));
        sent += status == SMTP_OK;
        if (ticket == last) smtp_engine_part(engine);
    }
    return sent;
}

int main(int argc, char **argv)
{
    static const char body[] = "One of several over one connection.\n";
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    smtp_engine *engine = NULL;
    int loop = epoll_create1(EPOLL_CLOEXEC), fd = -1, count = argc > 3 ? atoi(argv[3]) : 1, sent = 0, code = SMTP_EXCHANGE, i;
    int64_t first = -1, last = -1;

    smtp_message_set_text(message, body, sizeof body - 1);
    smtp_options_set(options, "recipients", argc > 2 ? argv[2] : "");
    smtp_engine_new_session(argc > 1 ? argv[1] : "localhost", 0, options, &engine);
    for (i = 0; i < count; i++) {
        last = smtp_engine_ask_sendmessage(engine, message, NULL);
        if (last < 0) fprintf(stderr, "%s\n", smtp_engine_ask_error(engine));
        if (i == 0) first = last;
    }
    if (last < 0) smtp_engine_part(engine);
    while (code == SMTP_EXCHANGE) {
        struct epoll_event event;
        int64_t wait = smtp_engine_timeout(engine);

        event.events = 0;
        epoll_wait(loop, &event, 1, (int)wait);
        code = smtp_engine_ready(engine, (event.events & ~(unsigned)EPOLLOUT ? SMTP_READ : 0) |
                                             (event.events & EPOLLOUT ? SMTP_WRITE : 0));
        fd = watch(loop, engine, fd);
        sent += answers(engine, first, last);
    }
    smtp_engine_free(engine);
    close(loop);
    smtp_options_free(options);
    smtp_message_free(message);
    return sent != count;
}

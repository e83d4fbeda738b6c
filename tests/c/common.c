#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

unsigned short port, lmtp_port;
const char *folder;

static int passed, failed;

void check_that(int holds, const char *what, const char *file, int line)
{
    if (holds) {
        passed++;
    } else {
        failed++;
        printf("%s:%d: not so: %s\n", file, line, what);
    }
}

void check_code(long got, long expected, const char *what, const char *file, int line)
{
    if (got != expected) printf("%s:%d: %ld, not %ld\n", file, line, got, expected);
    check_that(got == expected, what, file, line);
}

void check_text(const char *got, const char *expected, const char *what, const char *file, int line)
{
    int same = got != NULL && strcmp(got, expected) == 0;

    if (!same) printf("%s:%d: `%s`, not `%s`\n", file, line, got != NULL ? got : "(NULL)", expected);
    check_that(same, what, file, line);
}

void check_part(const char *got, const char *part, const char *what, const char *file, int line)
{
    int there = got != NULL && strstr(got, part) != NULL;

    if (!there) printf("%s:%d: no `%s` in `%s`\n", file, line, part, got != NULL ? got : "(NULL)");
    check_that(there, what, file, line);
}

void begin(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "%s PORT LMTP_PORT FOLDER\n", argv[0]);
        exit(2);
    }
    port = (unsigned short)atoi(argv[1]);
    lmtp_port = (unsigned short)atoi(argv[2]);
    folder = argv[3];
    alarm(600);
}

int summary(void)
{
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}

void pause_for(long milliseconds)
{
    struct timespec time;

    time.tv_sec = milliseconds / 1000;
    time.tv_nsec = milliseconds % 1000 * 1000000;
    nanosleep(&time, NULL);
}

smtp_message *mail_to(const char *recipients)
{
    smtp_message *m = smtp_message_new();

    smtp_message_set_text(m, "Hello.\n", 7);
    smtp_message_set_header(m, "From", "alice@a.example");
    smtp_message_set_header(m, "To", recipients);
    return m;
}

smtp_message *mail(void)
{
    return mail_to("bob@b.example");
}

smtp_options *to_port(unsigned short its_port)
{
    smtp_options *o = smtp_options_new();

    smtp_options_add_server(o, "127.0.0.1", its_port);
    smtp_options_set(o, "client", "client.example");
    return o;
}

smtp_options *to_sink(void)
{
    smtp_options *o = to_port(port);

    smtp_options_set(o, "timeout", "20");
    return o;
}

int listener(unsigned short *its_port)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 8) != 0) perror("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    *its_port = ntohs(address.sin_port);
    return fd;
}

int connected(void)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) perror("connect");
    return fd;
}

int64_t source_read(void *user_data, void *buffer, size_t size)
{
    source *s = user_data;
    size_t n = strlen(s->text + s->at);

    if (n > size) n = size;
    if (n > 5) n = 5;
    memcpy(buffer, s->text + s->at, n);
    s->at += n;
    return (int64_t)n;
}

int source_rewind(void *user_data)
{
    ((source *)user_data)->at = 0;
    return 0;
}

void source_release(void *user_data)
{
    ((source *)user_data)->released++;
}

void on_line(void *user_data, int direction, const char *line)
{
    (void)direction;
    *(size_t *)user_data += strlen(line);
}

int on_tls(void *user_data, int code, const char *diagnostic)
{
    (void)user_data, (void)code, (void)diagnostic;
    return SMTP_INSECURE;
}

int step(smtp_engine *e)
{
    int64_t wait = smtp_engine_timeout(e);
    struct pollfd p;
    int interest = smtp_engine_interest(e), what = 0, n;

    p.fd = smtp_engine_fd(e);
    p.events = (short)((interest & SMTP_READ ? POLLIN : 0) | (interest & SMTP_WRITE ? POLLOUT : 0));
    p.revents = 0;
    n = poll(&p, 1, wait < 0 || wait > HANGS ? HANGS : (int)wait);
    if (n == 0 && (wait < 0 || wait > HANGS)) return 0;
    if (p.revents & (POLLIN | POLLHUP | POLLERR)) what |= SMTP_READ;
    if (p.revents & POLLOUT) what |= SMTP_WRITE;
    CHECK((p.revents & POLLNVAL) == 0);
    return smtp_engine_ready(e, what);
}

int done(smtp_engine *e)
{
    int code = smtp_engine_ready(e, 0); /* It may be over already, and have no descriptor to wait for. */

    while (code == SMTP_EXCHANGE) code = step(e);
    return code == SMTP_DONE;
}

int64_t answered(smtp_engine *e)
{
    int64_t ticket = -1;
    int code = SMTP_EXCHANGE;

    while (smtp_engine_answer(e, &ticket) == 0) {
        if (code != SMTP_EXCHANGE) return -1;
        code = step(e);
    }
    return ticket;
}

/* The child says by a pipe how it went, as leak checkers end it with a status of their own for the memory of threads that it
 * does not have. */
int in_child(int (*child)(void *), void *data, int all_of_it)
{
    int status = -1, ends[2];
    char bad = 1;
    pid_t pid;

    if (pipe(ends) < 0) return 0;
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        alarm(60);
        bad = (char)child(data);
        if (write(ends[1], &bad, 1) != 1) _exit(1);
        if (all_of_it) exit(0);
        _exit(0);
    }
    close(ends[1]);
    if (read(ends[0], &bad, 1) != 1) bad = 1;
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return 0;
    if (bad || !WIFEXITED(status)) printf("the child says %d and ended with %#x\n", bad, (unsigned)status);
    return !bad && WIFEXITED(status);
}

void both(int (*child)(void *), void *data)
{
    CHECK(in_child(child, data, 0));
    CHECK(in_child(child, data, 1));
}

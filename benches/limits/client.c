/*
 * What the exchange needs and nothing else: the limits that clients are measured against. It trusts the server: of replies it
 * only counts the lines. See benches/README.md for the arguments; the modes here are
 *   steps    4 round trips a message: MAIL, RCPT, DATA and the content each wait for their reply
 *   grouped  2: MAIL, RCPT and DATA go together (RFC 2920)
 *   queued   1: the content and the next message's MAIL, RCPT and DATA go together
 *   window   BDAT (RFC 3030), 64 messages in flight
 *   whole    1: envelope and content go together by BDAT, the content out of the caller's memory
 *   each     a connection for each message, grouped
 *   parallel many connections in one thread, queued
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tools/task.h"

enum { WINDOW = 64, BLOCK = 256 * 1024 };

static struct task task;
static char *envelope, *wire, block[BLOCK + 4];
static size_t envelope_length, wire_length;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void put(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, data, length, MSG_NOSIGNAL);
        if (n < 0) fail("send");
        data += n;
        length -= (size_t)n;
    }
}

static long lines_in(const char *data, size_t length)
{
    const char *at = data, *end = data + length;
    long lines = 0;

    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) at++, lines++;
    return lines;
}

/* Reads until so many lines were read. */
static void await(int fd, long lines)
{
    char in[32768];

    while (lines > 0) {
        ssize_t n = recv(fd, in, sizeof in, 0);
        if (n <= 0) fail("recv");
        lines -= lines_in(in, (size_t)n);
    }
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(task.port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* The greeting and EHLO. */
static void greet(int fd)
{
    char in[4096];
    size_t length = 0, start = 0;

    await(fd, 1);
    put(fd, "EHLO client.example.test\r\n", 26);
    for (;;) {
        char *end;
        ssize_t n = recv(fd, in + length, sizeof in - length, 0);
        if (n <= 0) fail("recv");
        length += (size_t)n;
        while ((end = memchr(in + start, '\n', length - start)) != NULL) {
            if (in[start + 3] == ' ') return;
            start = (size_t)(end - in) + 1;
        }
    }
}

/* The content as DATA wants it: lines end in CRLF, leading dots are doubled, a dot ends it. It is gone through every time. */
static void content(int fd, const char *behind, size_t behind_length)
{
    const char *at = task.body, *end = task.body + task.octets;
    size_t used = 0;

    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((line_end ? line_end : end) - at);

        if (used + length + 3 > BLOCK) put(fd, block, used), used = 0;
        if (*at == '.') block[used++] = '.';
        if (length && at[length - 1] == '\r') length--;
        memcpy(block + used, at, length);
        used += length;
        block[used++] = '\r';
        block[used++] = '\n';
        if (!line_end) break;
        at = line_end + 1;
    }
    if (used + 3 + behind_length > BLOCK) put(fd, block, used), used = 0;
    memcpy(block + used, ".\r\n", 3);
    used += 3;
    if (used + behind_length <= BLOCK) {
        if (behind_length) memcpy(block + used, behind, behind_length);
        put(fd, block, used + behind_length);
    } else {
        put(fd, block, used);
        put(fd, behind, behind_length);
    }
}

static void bye(int fd)
{
    put(fd, "QUIT\r\n", 6);
    await(fd, 1);
    close(fd);
}

static void steps(void)
{
    long n;
    int fd = dial();

    greet(fd);
    for (n = 0; n < task.messages; n++) {
        const char *line = envelope, *end;
        for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            put(fd, line, (size_t)(end + 1 - line));
            await(fd, 1);
        }
        content(fd, NULL, 0);
        await(fd, 1);
    }
    bye(fd);
}

static void grouped(long messages)
{
    int fd = dial();

    greet(fd);
    for (; messages > 0; messages--) {
        put(fd, envelope, envelope_length);
        await(fd, task.recipients + 2);
        content(fd, messages == 1 ? "QUIT\r\n" : NULL, messages == 1 ? 6 : 0);
        await(fd, messages == 1 ? 2 : 1);
    }
    close(fd);
}

static void queued(void)
{
    long n;
    int fd = dial();

    greet(fd);
    put(fd, envelope, envelope_length);
    await(fd, task.recipients + 2);
    for (n = 1; n < task.messages; n++) {
        content(fd, envelope, envelope_length);
        await(fd, task.recipients + 3);
    }
    content(fd, NULL, 0);
    await(fd, 1);
    bye(fd);
}

static void window(void)
{
    long n, count = 0;
    int fd = dial();

    greet(fd);
    for (n = 0; n < task.messages; n += count) {
        count = task.messages - n < WINDOW ? task.messages - n : WINDOW;
        put(fd, wire, (size_t)count * wire_length);
        await(fd, count * (task.recipients + 2));
    }
    bye(fd);
}

static void whole(void)
{
    long n;
    int fd = dial();

    greet(fd);
    for (n = 0; n < task.messages; n++) {
        put(fd, envelope, envelope_length);
        put(fd, task.body, task.octets);
        await(fd, task.recipients + 2);
    }
    bye(fd);
}

struct connection {
    int fd;
    long left, lines;
};

static void parallel(void)
{
    struct connection *all = calloc((size_t)task.connections, sizeof *all);
    struct epoll_event events[256];
    int poll = epoll_create1(EPOLL_CLOEXEC);
    long n, open = task.connections;

    for (n = 0; n < task.connections; n++) {
        struct epoll_event what = {.events = EPOLLIN, .data.ptr = &all[n]};
        all[n] = (struct connection){dial(), TASK_SHARE(task, n), task.recipients + 2};
        greet(all[n].fd);
        epoll_ctl(poll, EPOLL_CTL_ADD, all[n].fd, &what);
        put(all[n].fd, envelope, envelope_length);
    }
    while (open > 0) {
        int ready = epoll_wait(poll, events, 256, -1), i;
        for (i = 0; i < ready; i++) {
            struct connection *one = events[i].data.ptr;
            char in[8192];
            ssize_t got = recv(one->fd, in, sizeof in, 0);
            if (got <= 0) fail("recv");
            one->lines -= lines_in(in, (size_t)got);
            if (one->lines > 0) continue;
            if (one->left == 0) {
                close(one->fd);
                open--;
            } else if (--one->left == 0) {
                content(one->fd, "QUIT\r\n", 6);
                one->lines = 2;
            } else {
                content(one->fd, envelope, envelope_length);
                one->lines = task.recipients + 3;
            }
        }
    }
    free(all);
}

int main(int argc, char **argv)
{
    char bdat[64], *at;
    size_t bdat_length;
    long n;

    if (!task_read(&task, argc, argv)) return 2;
    if (strcmp(task.tls, "no")) return NOT_HERE;
    at = envelope = malloc(128 + 48 * (size_t)task.recipients);
    at += sprintf(at, "MAIL FROM:<from@example.test>\r\n");
    for (n = 0; n < task.recipients; n++) at += sprintf(at, "RCPT TO:<to%ld@example.test>\r\n", n);
    bdat_length = (size_t)sprintf(bdat, "BDAT %lu LAST\r\n", (unsigned long)task.octets);
    if (strcmp(task.mode, "window") == 0) {
        size_t length = (size_t)(at - envelope);
        wire_length = length + bdat_length + task.octets;
        at = wire = malloc(WINDOW * wire_length);
        for (n = 0; n < WINDOW; n++, at += wire_length) {
            memcpy(at, envelope, length);
            memcpy(at + length, bdat, bdat_length);
            memcpy(at + length + bdat_length, task.body, task.octets);
        }
        window();
        return 0;
    }
    if (strcmp(task.mode, "whole") == 0) {
        at += sprintf(at, "%s", bdat);
        envelope_length = (size_t)(at - envelope);
        whole();
        return 0;
    }
    at += sprintf(at, "DATA\r\n");
    envelope_length = (size_t)(at - envelope);
    if (strcmp(task.mode, "steps") == 0) steps();
    else if (strcmp(task.mode, "grouped") == 0) grouped(task.messages);
    else if (strcmp(task.mode, "queued") == 0) queued();
    else if (strcmp(task.mode, "each") == 0) for (n = 0; n < task.messages; n++) grouped(1);
    else if (strcmp(task.mode, "parallel") == 0) parallel();
    else return NOT_HERE;
    return 0;
}

/* octets SERVER RECIPIENT: a program that has the socket itself, and hands octets in and out.
 *
 * For transports that the library knows nothing of. Whoever has an event loop and a network is better served by
 * poll.c, epoll.c or libuv.c. */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <libsmtp.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connects, and blocks for that: a real program would not, and would try all addresses. */
static int dial(smtp_engine *engine)
{
    struct addrinfo hints, *found = NULL;
    char port[8];
    int fd;

    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    sprintf(port, "%u", (unsigned)smtp_engine_port(engine));
    if (getaddrinfo(smtp_engine_host(engine), port, &hints, &found) != 0) {
        smtp_engine_connect_failed(engine, "the name does not resolve");
        return -1;
    }
    fd = socket(found->ai_family, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0) smtp_engine_connected(engine, fd);
    else smtp_engine_connect_failed(engine, strerror(errno));
    freeaddrinfo(found);
    return fd;
}

/* Waits for something to happen, and tells the engine. */
static void exchange(smtp_engine *engine, int fd)
{
    char buffer[16384];
    const void *data;
    size_t length;
    int64_t wait;
    struct pollfd p;
    ssize_t n = 1;

    smtp_engine_output(engine, &data, &length);
    if (smtp_engine_action(engine) != SMTP_EXCHANGE) return; /* that call may have ended it */
    wait = smtp_engine_timeout(engine);
    p.fd = fd;
    p.events = length > 0 ? POLLIN | POLLOUT : POLLIN;
    p.revents = 0;
    if (poll(&p, 1, (int)wait) == 0) {
        smtp_engine_timed_out(engine);
    } else if (p.revents & ~POLLOUT) { /* what the server says comes first */
        n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n > 0) smtp_engine_input(engine, buffer, (size_t)n);
        if (n == 0) smtp_engine_eof(engine);
    } else if (p.revents & POLLOUT) {
        /* MSG_NOSIGNAL: a connection that is gone is an error, not a signal. */
        n = send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) smtp_engine_output_done(engine, (size_t)n);
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR) smtp_engine_failed(engine, strerror(errno));
}

int main(int argc, char **argv)
{
    static const char body[] = "Hello, octet by octet.\n";
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    smtp_engine *engine = NULL;
    smtp_result *result = NULL;
    int fd = -1, action, status;

    smtp_message_set_text(message, body, sizeof body - 1);
    smtp_options_set(options, "servers", argc > 1 ? argv[1] : "");
    smtp_options_set(options, "recipients", argc > 2 ? argv[2] : "");
    smtp_engine_new(message, options, &engine);
    while ((action = smtp_engine_action(engine)) != SMTP_DONE) {
        if (action == SMTP_EXCHANGE) {
            exchange(engine, fd);
        } else {
            if (fd >= 0) close(fd); /* that of the server before */
            fd = dial(engine);
        }
    }
    status = smtp_engine_result(engine, &result);
    printf("%s %s\n", smtp_code_name(status), smtp_result_error(result));
    if (fd >= 0) close(fd);
    smtp_result_free(result);
    smtp_engine_free(engine);
    smtp_options_free(options);
    smtp_message_free(message);
    return status != SMTP_OK;
}

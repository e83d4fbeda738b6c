/* poll RECIPIENT [NAME=VALUE...] SERVER...: one message to each server, all at once, in one thread.
 *
 * The engine has no socket. The program connects, moves octets, and tells when time is up. */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libsmtp.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 16 };

typedef struct {
    smtp_engine *engine;
    int fd, connecting;
} job;

/* Begins a connection; poll tells when it is there. A real program would resolve names elsewhere. */
static void dial(job *j)
{
    struct addrinfo hints, *found = NULL;
    char port[8];

    if (j->fd >= 0) close(j->fd); /* that of the server before */
    j->fd = -1;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    sprintf(port, "%u", (unsigned)smtp_engine_port(j->engine));
    if (getaddrinfo(smtp_engine_host(j->engine), port, &hints, &found) != 0) {
        smtp_engine_connect_failed(j->engine, "the name does not resolve");
        return;
    }
    j->fd = socket(found->ai_family, SOCK_STREAM, 0);
    j->connecting = j->fd >= 0 && fcntl(j->fd, F_SETFL, O_NONBLOCK) == 0 &&
                    (connect(j->fd, found->ai_addr, found->ai_addrlen) == 0 || errno == EINPROGRESS);
    if (!j->connecting) smtp_engine_connect_failed(j->engine, strerror(errno));
    freeaddrinfo(found);
}

static void connected(job *j)
{
    int error = 0;
    socklen_t size = sizeof error;

    j->connecting = 0;
    getsockopt(j->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) smtp_engine_connect_failed(j->engine, strerror(error));
    else smtp_engine_connected(j->engine, j->fd);
}

static void exchange(job *j)
{
    char buffer[16384];
    const void *data;
    size_t length;
    ssize_t n = recv(j->fd, buffer, sizeof buffer, 0);

    if (n > 0) smtp_engine_input(j->engine, buffer, (size_t)n);
    else if (n == 0) smtp_engine_eof(j->engine);
    else if (errno != EAGAIN && errno != EINTR) smtp_engine_failed(j->engine, strerror(errno));
    smtp_engine_output(j->engine, &data, &length);
    /* MSG_NOSIGNAL: a connection that is gone is an error, not a signal. */
    n = length > 0 ? send(j->fd, data, length, MSG_NOSIGNAL) : 0;
    if (n > 0) smtp_engine_output_done(j->engine, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR) smtp_engine_failed(j->engine, strerror(errno));
}

/* Does what the engine wants next, and says what to wait for: 0 when the message is done. */
static short wanted(job *j)
{
    const void *data;
    size_t length;

    while (smtp_engine_action(j->engine) == SMTP_DIAL && !j->connecting) dial(j);
    if (smtp_engine_action(j->engine) == SMTP_DONE) return 0;
    if (j->connecting) return POLLOUT;
    smtp_engine_output(j->engine, &data, &length);
    return length > 0 ? POLLIN | POLLOUT : POLLIN;
}

/* One turn of the loop: 0 when no job has anything left to do. */
static int turn(job *jobs, int count)
{
    struct pollfd fds[MOST];
    int64_t wait = -1;
    int i, waiting = 0;

    for (i = 0; i < count; i++) {
        int64_t time;

        fds[i].events = wanted(&jobs[i]);
        fds[i].revents = 0;
        fds[i].fd = fds[i].events != 0 ? jobs[i].fd : -1; /* poll skips -1 */
        waiting += fds[i].events != 0;
        time = smtp_engine_timeout(jobs[i].engine);
        if (time >= 0 && (wait < 0 || time < wait)) wait = time;
    }
    if (waiting == 0) return 0;
    poll(fds, (nfds_t)count, (int)wait);
    for (i = 0; i < count; i++) {
        if (fds[i].revents != 0 && jobs[i].connecting) {
            connected(&jobs[i]);
        } else if (fds[i].revents != 0) {
            exchange(&jobs[i]);
        } else if (fds[i].events != 0 && smtp_engine_timeout(jobs[i].engine) == 0) {
            smtp_engine_timed_out(jobs[i].engine);
            jobs[i].connecting = 0;
        }
    }
    return 1;
}

int main(int argc, char **argv)
{
    static const char body[] = "One of several at once.\n";
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    job jobs[MOST];
    int count = 0, i, failed = 0;

    smtp_message_set_text(message, body, sizeof body - 1);
    if (argc > 1) smtp_options_set(options, "recipients", argv[1]);
    for (i = 2; i < argc && count < MOST; i++) {
        char *value = strchr(argv[i], '=');

        if (value != NULL) { /* an option, for the servers behind it */
            *value++ = '\0';
            if (smtp_options_set(options, argv[i], value) != SMTP_OK) fprintf(stderr, "%s\n", smtp_options_error(options));
            continue;
        }
        jobs[count].fd = -1;
        jobs[count].connecting = 0;
        smtp_options_set(options, "servers", argv[i]);
        smtp_engine_new(message, options, &jobs[count++].engine); /* where it fails the result says why */
    }
    while (turn(jobs, count)) continue;
    for (i = 0; i < count; i++) {
        smtp_result *result = NULL;
        int status = smtp_engine_result(jobs[i].engine, &result);

        printf("server %d: %s %s\n", i + 1, smtp_code_name(status), smtp_result_error(result));
        failed |= status != SMTP_OK;
        smtp_result_free(result);
        smtp_engine_free(jobs[i].engine);
        if (jobs[i].fd >= 0) close(jobs[i].fd);
    }
    smtp_options_free(options);
    smtp_message_free(message);
    return failed || count == 0;
}

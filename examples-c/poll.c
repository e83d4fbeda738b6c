/* poll RECIPIENT [NAME=VALUE...] SERVER...: one message to each server, all at once, in one thread.
 *
 * The library resolves, connects and moves the octets; the program only watches. */
#include <libsmtp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 16 };

/* One turn of the loop: 0 when no engine has anything left to do. */
static int turn(smtp_engine **engines, int *done, int count)
{
    struct pollfd fds[MOST];
    int64_t wait = -1;
    int i, waiting = 0;

    for (i = 0; i < count; i++) {
        int interest = smtp_engine_interest(engines[i]);
        int64_t time = done[i] ? -1 : smtp_engine_timeout(engines[i]);

        fds[i].fd = done[i] ? -1 : smtp_engine_fd(engines[i]); /* poll skips -1 */
        fds[i].events = (short)((interest & SMTP_READ ? POLLIN : 0) | (interest & SMTP_WRITE ? POLLOUT : 0));
        fds[i].revents = 0;
        if (time >= 0 && (wait < 0 || time < wait)) wait = time;
        waiting += !done[i];
    }
    if (waiting == 0) return 0;
    poll(fds, (nfds_t)count, (int)wait);
    for (i = 0; i < count; i++) {
        int what = (fds[i].revents & ~POLLOUT ? SMTP_READ : 0) | (fds[i].revents & POLLOUT ? SMTP_WRITE : 0);

        if (done[i] || (what == 0 && smtp_engine_timeout(engines[i]) != 0)) continue;
        done[i] = smtp_engine_ready(engines[i], what) == SMTP_DONE;
    }
    return 1;
}

int main(int argc, char **argv)
{
    static const char body[] = "One of several at once.\n";
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    smtp_engine *engines[MOST];
    int done[MOST] = {0}, count = 0, i, failed = 0;

    smtp_message_set_text(message, body, sizeof body - 1);
    if (argc > 1) smtp_options_set(options, "recipients", argv[1]);
    for (i = 2; i < argc && count < MOST; i++) {
        char *value = strchr(argv[i], '=');

        if (value != NULL) { /* an option, for the servers after it */
            *value++ = '\0';
            if (smtp_options_set(options, argv[i], value) != SMTP_OK) fprintf(stderr, "%s\n", smtp_options_error(options));
            continue;
        }
        smtp_options_set(options, "servers", argv[i]);
        smtp_engine_new(message, options, &engines[count++]); /* where it fails the result says why */
    }
    while (turn(engines, done, count)) continue;
    for (i = 0; i < count; i++) {
        smtp_result *result = NULL;
        int status = smtp_engine_result(engines[i], &result);

        printf("server %d: %s %s\n", i + 1, smtp_code_name(status), smtp_result_error(result));
        failed |= status != SMTP_OK;
        smtp_result_free(result);
        smtp_engine_free(engines[i]);
    }
    smtp_options_free(options);
    smtp_message_free(message);
    return failed || count == 0;
}

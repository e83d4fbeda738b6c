/* What the C programs have in common: their arguments, and the message. See benches/README.md. */
#ifndef TASK_H
#define TASK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "From: Benchmark <from@example.test>\r\nTo: to@example.test\r\nSubject: a message\r\n" \
    "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.test>\r\nMIME-Version: 1.0\r\n\r\n"

struct task {
    unsigned short port;
    const char *mode;
    long messages;
    size_t octets;
    long recipients;
    long connections;
    const char *kind;
    const char *tls;
    const char *certificate;
    char *body;
};

/* A workload that this program cannot do: the row has a gap. */
enum { NOT_HERE = 3 };

static int task_read(struct task *task, int argc, char **argv)
{
    static const char *const lines[] = {
        "All work and no play makes Jack a dull boy, and nothing else either, ok.\r\n",
        ".ll work and no play makes Jack a dull boy, and nothing else either, ok.\r\n",
        "All work and no play makes Jack a dull boy, and nothing else either, okay.\n",
    };
    const char *line;
    size_t at, length;

    if (argc != 10) {
        fprintf(stderr, "use: %s PORT MODE MESSAGES OCTETS RECIPIENTS CONNECTIONS KIND TLS CERT\n", argv[0]);
        return 0;
    }
    task->port = (unsigned short)atoi(argv[1]);
    task->mode = argv[2];
    task->messages = atol(argv[3]);
    task->octets = (size_t)atol(argv[4]);
    task->recipients = atol(argv[5]);
    task->connections = atol(argv[6]);
    task->kind = argv[7];
    task->tls = argv[8];
    task->certificate = argv[9];
    line = lines[strcmp(task->kind, "dots") == 0 ? 1 : strcmp(task->kind, "lf") == 0 ? 2 : 0];
    length = strlen(line);
    if (task->octets < strlen(HEAD) + 2) task->octets = strlen(HEAD) + 2;
    task->body = malloc(task->octets);
    if (task->body == NULL) return 0;
    memcpy(task->body, HEAD, strlen(HEAD));
    for (at = strlen(HEAD); at + length + 2 <= task->octets; at += length) memcpy(task->body + at, line, length);
    memset(task->body + at, 'x', task->octets - at);
    memcpy(task->body + task->octets - 2, "\r\n", 2);
    return 1;
}

/* How many messages connection number has to send. */
#define TASK_SHARE(task, number) ((task).messages / (task).connections + ((number) < (task).messages % (task).connections))

#endif

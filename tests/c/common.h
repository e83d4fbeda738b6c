/* What the C tests share: checks that go on after a failure and count, a message, where it goes, and loops. */
#ifndef COMMON_H
#define COMMON_H

#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_that(int holds, const char *what, const char *file, int line);
void check_code(long got, long expected, const char *what, const char *file, int line);
void check_text(const char *got, const char *expected, const char *what, const char *file, int line);
void check_part(const char *got, const char *part, const char *what, const char *file, int line);

#define CHECK(holds) check_that((holds) ? 1 : 0, #holds, __FILE__, __LINE__)
#define CODE(call, code) check_code((long)(call), (long)(code), #call, __FILE__, __LINE__)
#define TEXT(call, text) check_text((call), (text), #call, __FILE__, __LINE__)
#define PART(call, text) check_part((call), (text), #call, __FILE__, __LINE__)
#define EMPTY(call) TEXT(call, "")

/* The arguments of every program, `PORT LMTP_PORT FOLDER`, as `run` gives them; and the closing line. What takes longer than
 * any test hangs, and ends the program. */
extern unsigned short port, lmtp_port;
extern const char *folder;
void begin(int argc, char **argv);
int summary(void);

#define HANGS 20000 /* whoever sleeps for so long, in ms, was not told of something */

void pause_for(long milliseconds);

/* A small message from alice@a.example; mail() is for bob@b.example. */
smtp_message *mail(void);
#define ONE_REFUSED "bob@b.example, no@b.example" /* by the sink */
smtp_message *mail_to(const char *recipients);
/* Options for the sink, and for another port of this machine, with the default time-outs. */
smtp_options *to_sink(void);
smtp_options *to_port(unsigned short its_port);

/* A socket that listens, and its port; one that is connected to the sink. */
int listener(unsigned short *its_port);
int connected(void);

/* A reader over a text, which counts how often it was released. */
typedef struct {
    const char *text;
    size_t at;
    int released;
} source;

int64_t source_read(void *user_data, void *buffer, size_t size);
int source_rewind(void *user_data);
void source_release(void *user_data);

/* A transcript that adds up the octets of all lines in a size_t; a policy that says insecure. */
void on_line(void *user_data, int direction, const char *line);
int on_tls(void *user_data, int code, const char *diagnostic);

/* An engine that the library moves: one step of a loop, which sleeps until there is something to do, and does it, gives what
 * ready() gives, and 0 where nothing woke it; the same until it is done (1) or hangs (0), or until there is an answer, whose
 * ticket is given, or -1. */
int step(smtp_engine *e);
int done(smtp_engine *e);
int64_t answered(smtp_engine *e);

/* Runs `child` in a child that leaves by exit(), where it is to end all_of_it, or _exit(). Whether it came to a good end. */
int in_child(int (*child)(void *), void *data, int all_of_it);
/* Checks that in both ways. */
void both(int (*child)(void *), void *data);

#endif

/* When the system has no more descriptors, threads or memory to give: an error, or for memory the end that docs/security.md names;
 * never a crash, a hang, or half a message. */
#define _DEFAULT_SOURCE
#include "common.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int way(void);

static int sends(void)
{
    smtp_message *m = mail();
    smtp_options *o = to_sink();
    int status = smtp_sendmessage(m, o, NULL);

    smtp_options_free(o);
    smtp_message_free(m);
    return status;
}

static int talks(void)
{
    smtp_message *m = mail();
    smtp_options *o = to_sink();
    smtp_session *s = NULL;
    int status = smtp_session_open("127.0.0.1", port, o, &s);

    if (status == SMTP_OK) status = smtp_session_sendmessage(s, m, NULL, NULL);
    smtp_session_close(s);
    smtp_options_free(o);
    smtp_message_free(m);
    return status;
}

static int watches(void)
{
    smtp_message *m = mail();
    smtp_options *o = to_sink();
    smtp_engine *e = NULL;
    smtp_result *r = NULL;
    int status = smtp_engine_new(m, o, &e);

    if (status == SMTP_OK && done(e)) status = smtp_engine_result(e, &r);
    smtp_result_free(r);
    smtp_engine_free(e);
    smtp_options_free(o);
    smtp_message_free(m);
    return status;
}

static int queues(void)
{
    smtp_message *m = mail();
    smtp_options *o = to_sink();
    smtp_mailer *mailer = NULL;
    smtp_result *r = NULL;
    int64_t ticket;
    int status;

    smtp_options_set(o, "retries", "0");
    status = smtp_mailer_new(o, &mailer, NULL);
    if (status == SMTP_OK) status = smtp_mailer_submit(mailer, m, NULL, NULL) < 0 ? SMTP_ERR_USAGE : SMTP_OK;
    if (status == SMTP_OK && smtp_mailer_next(mailer, 30000, &ticket, &r) == 1) status = smtp_result_status(r);
    smtp_result_free(r);
    smtp_mailer_free(mailer);
    smtp_options_free(o);
    smtp_message_free(m);
    return status;
}

static int files(void)
{
    char file[512];
    smtp_message *m = smtp_message_new();
    smtp_options *o = to_sink();
    int status;

    sprintf(file, "%s/exhausted.eml", folder);
    smtp_message_set_message_file(m, file);
    smtp_options_set(o, "recipients", "bob@b.example");
    smtp_options_set(o, "originator", "alice@a.example");
    status = smtp_sendmessage(m, o, NULL);
    smtp_options_free(o);
    smtp_message_free(m);
    return status;
}

static way *const ways[] = {sends, talks, watches, queues, files};
#define WAYS (sizeof ways / sizeof *ways)

static void descriptors(void)
{
    struct rlimit limit, before;
    int taken[64], count, spare;
    size_t i;

    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    limit.rlim_cur = 48;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (spare = 0; spare < 8; spare++) {
        int good = 0;

        for (count = 0; count < 64 && (taken[count] = dup(0)) >= 0; count++) continue;
        CHECK(count > spare);
        for (i = 0; (int)i < spare; i++) close(taken[--count]);
        for (i = 0; i < WAYS; i++) {
            int status = ways[i]();

            good += status == SMTP_OK;
            CHECK(status == SMTP_OK || status == SMTP_ERR_CONNECT || status == SMTP_ERR_SOURCE || status == SMTP_ERR_USAGE);
        }
        CHECK(spare > 0 ? good > 0 || spare < 5 : good == 0);
        while (count > 0) close(taken[--count]);
        for (i = 0; i < WAYS; i++) CODE(ways[i](), SMTP_OK);
    }
    setrlimit(RLIMIT_NOFILE, &before);
}

/* One way, in a child with so many octets of memory more than it has. */
static void memory(way *act, long spare)
{
    int status = -1;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        struct rlimit limit;
        long pages = 0;
        int null = open("/dev/null", O_WRONLY);
        FILE *statm = fopen("/proc/self/statm", "r");

        alarm(60);
        dup2(null, 2); /* where the allocator says why it ends */
        if (statm == NULL || fscanf(statm, "%ld", &pages) != 1) _exit(9);
        fclose(statm);
        limit.rlim_cur = limit.rlim_max = (rlim_t)(pages * sysconf(_SC_PAGESIZE) + spare);
        setrlimit(RLIMIT_AS, &limit);
        act();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
}

static int large(void)
{
    size_t size = 8 << 20;
    char *text = malloc(size);
    smtp_message *m = smtp_message_new();
    smtp_options *o = to_sink();
    int status = SMTP_ERR_USAGE;

    if (text != NULL) {
        memset(text, 'x', size);
        smtp_message_set_text(m, text, size);
        smtp_options_set(o, "recipients", "bob@b.example");
        smtp_options_set(o, "originator", "alice@a.example");
        status = smtp_sendmessage(m, o, NULL);
    }
    free(text);
    smtp_options_free(o);
    smtp_message_free(m);
    return status;
}

int main(int argc, char **argv)
{
    static const long spares[] = {0, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 12 << 20, 40 << 20};
    char file[512];
    FILE *f;
    size_t i, j;

    begin(argc, argv);
    sprintf(file, "%s/exhausted.eml", folder);
    f = fopen(file, "w");
    CHECK(f != NULL && fputs("From: a@a.example\nTo: b@b.example\n\nHello.\n", f) >= 0 && fclose(f) == 0);
    for (i = 0; i < WAYS; i++) CODE(ways[i](), SMTP_OK); /* what is loaded late is there */
    descriptors();
    /* The tools keep memory of their own. */
    if (getenv("SANITIZE") == NULL && getenv("VALGRIND") == NULL) {
        for (i = 0; i < sizeof spares / sizeof *spares; i++) {
            for (j = 0; j < WAYS; j++) memory(ways[j], spares[i]);
            memory(large, spares[i]);
        }
    }
    return summary();
}

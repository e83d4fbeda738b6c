/* spool SERVER FOLDER: sends every message of a spool folder once, whatever happens meanwhile, kill -9 included.
 *
 * A message is a file, whose header says who it is from and who gets it. Its folder says where it stands:
 *
 *   in        it was not sent; it goes with this run or the next
 *   sending   it may be on its way: it was moved here at the commit, before its end was given to the kernel
 *   sent      a server has it, for one recipient at least
 *   failed    no server wants it
 *   unknown   a server may have it: the connection or the program ended while it was in `sending`. Somebody must look
 *
 * To put a message in, write it elsewhere on the same file system and move it to `in`. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST 1000000 /* messages of one run */
#define WINDOW 64    /* messages that are on their way at once */

static int in, sending, sent, failed, unknown; /* the folders */
static char **names;                           /* by ticket, from 1 */

static int folder(const char *name)
{
    int fd;

    if (mkdir(name, 0700) < 0 && errno != EEXIST) return -1;
    fd = open(name, O_RDONLY | O_DIRECTORY);
    if (fd < 0) perror(name);
    return fd;
}

static int move(int from, int to, const char *name)
{
    return renameat(from, name, to, name);
}

/* The commit, for all messages that are ready: they move to `sending`, and the disk has that before this returns. */
static int on_commit(void *user_data, smtp_ready *ready)
{
    size_t i, count = smtp_ready_count(ready);
    const char *why;

    (void)user_data;
    for (i = 0; i < count; i++) {
        if (move(in, sending, smtp_ready_tag(ready, i)) == 0) continue;
        why = strerror(errno);
        while (i-- > 0) move(sending, in, smtp_ready_tag(ready, i));
        return smtp_ready_fail(ready, why);
    }
    if (fsync(sending) < 0 || fsync(in) < 0) {
        why = strerror(errno);
        for (i = 0; i < count; i++) move(sending, in, smtp_ready_tag(ready, i));
        return smtp_ready_fail(ready, why);
    }
    return 0;
}

/* What became of a message; it is in `sending` where it was committed. */
static void settle(const char *name, const smtp_result *result)
{
    int status = smtp_result_status(result), to = failed;

    if (status >= 0) to = sent;
    else if (status == SMTP_ERR_UNKNOWN) to = unknown;
    else if (smtp_result_error_transient(result) || status == SMTP_ERR_COMMIT || status == SMTP_ERR_CANCELLED) to = in;
    if (move(sending, to, name) < 0 && to != in) move(in, to, name);
    if (to != sent) fprintf(stderr, "%s: %s\n", name, smtp_result_error(result));
}

/* Takes the results that are there, or, with wait, waits for one. How many there were. */
static long settle_some(smtp_mailer *mailer, int wait)
{
    smtp_result *result;
    int64_t ticket;
    long count = 0;

    while (smtp_mailer_next(mailer, wait && count == 0 ? -1 : 0, &ticket, &result) == 1) {
        settle(names[ticket], result);
        smtp_result_free(result);
        count++;
    }
    return count;
}

/* What an earlier run, which came to a sudden end, has committed. */
static void recover(void)
{
    DIR *all = fdopendir(dup(sending));
    struct dirent *one;

    while (all != NULL && (one = readdir(all)) != NULL) {
        if (*one->d_name != '.' && move(sending, unknown, one->d_name) == 0) fprintf(stderr, "%s: unknown\n", one->d_name);
    }
    if (all != NULL) closedir(all);
}

/* The ticket of a message, or 0. */
static int64_t submit(smtp_mailer *mailer, const char *name)
{
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    smtp_result *failure = NULL;
    char path[4096];
    int64_t ticket = -1;

    snprintf(path, sizeof path, "in/%s", name);
    if (smtp_message_set_message_file(message, path) == SMTP_OK && smtp_options_set(options, "tag", name) == SMTP_OK) {
        ticket = smtp_mailer_submit(mailer, message, options, &failure);
    }
    if (ticket < 0) {
        fprintf(stderr, "%s: %s\n", name, failure ? smtp_result_error(failure) : smtp_message_error(message));
        move(in, failed, name);
    }
    smtp_result_free(failure);
    smtp_options_free(options);
    smtp_message_free(message);
    return ticket < 0 ? 0 : ticket;
}

int main(int argc, char **argv)
{
    smtp_options *options = smtp_options_new();
    smtp_mailer *mailer = NULL;
    smtp_result *failure = NULL;
    struct flock lock;
    struct dirent *one;
    DIR *all;
    long left = 0; /* messages that are on their way */
    int only;

    if (argc != 3 || chdir(argv[2]) < 0) {
        fprintf(stderr, "use: %s SERVER FOLDER\n", argv[0]);
        return 2;
    }
    in = folder("in"), sending = folder("sending"), sent = folder("sent"), failed = folder("failed"), unknown = folder("unknown");
    /* What another run has in `sending` is not unknown. The lock goes with the process, however that ends. */
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    only = open("lock", O_RDWR | O_CREAT, 0600);
    if (in < 0 || sending < 0 || sent < 0 || failed < 0 || unknown < 0 || only < 0 || fcntl(only, F_SETLK, &lock) < 0) {
        perror(argv[2]);
        return 1;
    }
    recover();
    smtp_options_set(options, "servers", argv[1]);
    smtp_options_set(options, "connections", "8");
    /* The next run tries again what was not sent. */
    smtp_options_set(options, "retries", "0");
    smtp_options_set_commit(options, on_commit, NULL, NULL);
    names = calloc(MOST + 1, sizeof *names);
    all = fdopendir(dup(in));
    if (names == NULL || all == NULL || smtp_mailer_new(options, &mailer, &failure) != SMTP_OK) {
        fprintf(stderr, "%s\n", failure ? smtp_result_error(failure) : strerror(errno));
        return 1;
    }
    while ((one = readdir(all)) != NULL) {
        int64_t ticket;

        /* A kill makes those unknown that are not settled: they are to be few. */
        while (left >= WINDOW) left -= settle_some(mailer, 1);
        ticket = *one->d_name == '.' ? 0 : submit(mailer, one->d_name);
        if (ticket > 0) names[ticket] = strdup(one->d_name);
        left += (ticket > 0) - settle_some(mailer, 0);
        if (ticket == MOST) break; /* the next run has the others */
    }
    closedir(all);
    while (left > 0) left -= settle_some(mailer, 1);
    smtp_mailer_close(mailer, -1);
    smtp_mailer_free(mailer);
    smtp_options_free(options);
    for (int64_t i = 0; i <= MOST; i++) free(names[i]);
    free(names);
    return 0;
}

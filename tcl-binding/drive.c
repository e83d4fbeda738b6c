/* An engine, its connection, and the event loop.
 *
 * While the engine is in use (busy) no handler of the drive exists, so that a callback that enters the event loop
 * cannot come back here; whoever wants a step then gets it afterwards (again). */
#include "smtp_tcl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PIECE 16384
#define TURN (1024 * 1024)  /* octets that one step may write, before others get their turn */
#define ROUNDS 2            /* that one step may take, likewise */
#define ADDRESS_MS 5000     /* for one address of several that does not answer */

/* A name that a thread resolves, because getaddrinfo() blocks. */
typedef struct Lookup {
    pthread_mutex_t lock;
    int refs;
    int ends[2];
    char *host, port[8];
    int failure;
    struct addrinfo *list;
} Lookup;

static void Writable(void *data, int mask);
static void Resolved(void *data, int mask);

static long long Now(void)
{
    Tcl_Time time;

    Tcl_GetTime(&time);
    return (long long)time.sec * 1000 + time.usec / 1000;
}

static void LookupRelease(Lookup *lookup)
{
    int last;

    pthread_mutex_lock(&lookup->lock);
    last = --lookup->refs == 0;
    pthread_mutex_unlock(&lookup->lock);
    if (!last) return;
    if (lookup->list != NULL) freeaddrinfo(lookup->list);
    close(lookup->ends[0]);
    close(lookup->ends[1]);
    pthread_mutex_destroy(&lookup->lock);
    free(lookup->host);
    free(lookup);
}

static int Resolve(const char *host, const char *port, int flags, struct addrinfo **list)
{
    struct addrinfo hints;

    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    return getaddrinfo(host, port, &hints, list);
}

static void *LookupRun(void *data)
{
    Lookup *lookup = data;

    lookup->failure = Resolve(lookup->host, lookup->port, 0, &lookup->list);
    while (write(lookup->ends[1], "", 1) < 0 && errno == EINTR) {
    }
    LookupRelease(lookup);
    return NULL;
}

static Lookup *LookupStart(const char *host, const char *port)
{
    Lookup *lookup = calloc(1, sizeof *lookup);
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    int failed;

    if (lookup == NULL) return NULL;
    if ((lookup->host = strdup(host)) == NULL || pipe(lookup->ends) < 0) {
        free(lookup->host);
        free(lookup);
        return NULL;
    }
    fcntl(lookup->ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(lookup->ends[1], F_SETFD, FD_CLOEXEC);
    snprintf(lookup->port, sizeof lookup->port, "%s", port);
    pthread_mutex_init(&lookup->lock, NULL);
    lookup->refs = 2;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all); /* signals are the program's business, not this thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, &attributes, LookupRun, lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed) {
        lookup->refs = 1;
        LookupRelease(lookup);
        return NULL;
    }
    return lookup;
}

static void Unwatch(Drive *drive)
{
    if (drive->mask != 0) Tcl_DeleteFileHandler(drive->fd);
    drive->mask = 0;
    if (drive->timer != NULL) Tcl_DeleteTimerHandler(drive->timer);
    drive->timer = NULL;
}

static void Disconnect(Drive *drive)
{
    Unwatch(drive);
    if (drive->lookup != NULL) {
        Tcl_DeleteFileHandler(drive->lookup->ends[0]);
        LookupRelease(drive->lookup);
        drive->lookup = NULL;
    }
    if (drive->addresses != NULL) freeaddrinfo(drive->addresses);
    drive->addresses = drive->address = NULL;
    if (drive->fd >= 0) close(drive->fd);
    drive->fd = -1;
    drive->connecting = 0;
}

static int Socket(Drive *drive, int family)
{
    int fd = socket(family, SOCK_STREAM, 0), one = 1;
    struct addrinfo *own;

    if (fd < 0) return -1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (family == AF_UNIX) return fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (drive->local != NULL && Resolve(drive->local, NULL, AI_NUMERICHOST, &own) == 0) {
        int bound = own->ai_family == family ? bind(fd, own->ai_addr, own->ai_addrlen) : -1;

        if (own->ai_family != family) errno = EAFNOSUPPORT;
        freeaddrinfo(own);
        if (bound < 0) {
            int saved = errno;

            close(fd);
            errno = saved;
            return -1;
        }
    }
    return fd;
}

/* Begins to connect; false where that failed at once. */
static int Begin(Drive *drive, int family, const struct sockaddr *to, socklen_t length)
{
    drive->fd = Socket(drive, family);
    if (drive->fd >= 0 && (connect(drive->fd, to, length) == 0 || errno == EINPROGRESS)) {
        drive->connecting = 1;
        return 1;
    }
    snprintf(drive->why, sizeof drive->why, "%s", strerror(errno));
    if (drive->fd >= 0) close(drive->fd);
    drive->fd = -1;
    return 0;
}

/* Tries the address that is next; tells the engine where there is none. */
static void NextAddress(Drive *drive)
{
    while (drive->address != NULL) {
        struct addrinfo *own = drive->address;

        drive->address = own->ai_next;
        drive->giveUp = own->ai_next != NULL ? Now() + ADDRESS_MS : 0;
        if (Begin(drive, own->ai_family, own->ai_addr, own->ai_addrlen)) return;
    }
    smtp_engine_connect_failed(drive->engine, drive->why);
}

static void Dial(Drive *drive)
{
    const char *host = smtp_engine_host(drive->engine);
    unsigned port = smtp_engine_port(drive->engine);
    struct addrinfo *list = NULL;
    struct sockaddr_un path;
    char service[8];

    Disconnect(drive);
    snprintf(drive->why, sizeof drive->why, "the name has no address");
    drive->giveUp = 0;
    if (port == 0) {
        memset(&path, 0, sizeof path);
        path.sun_family = AF_UNIX;
        if (strlen(host) >= sizeof path.sun_path) {
            smtp_engine_connect_failed(drive->engine, "the path is too long for a socket");
            return;
        }
        strcpy(path.sun_path, host);
        if (!Begin(drive, AF_UNIX, (struct sockaddr *)&path, sizeof path)) smtp_engine_connect_failed(drive->engine, drive->why);
        return;
    }
    snprintf(service, sizeof service, "%u", port);
    if (Resolve(host, service, AI_NUMERICHOST, &list) == 0) {
        drive->addresses = drive->address = list;
        NextAddress(drive);
        return;
    }
    drive->lookup = LookupStart(host, service);
    if (drive->lookup == NULL) smtp_engine_connect_failed(drive->engine, "no thread to resolve the name");
    else Tcl_CreateFileHandler(drive->lookup->ends[0], TCL_READABLE, Resolved, drive);
}

static void Resolved(void *data, int mask)
{
    Drive *drive = data;
    Lookup *lookup = drive->lookup;
    char octet;

    (void)mask;
    if (read(lookup->ends[0], &octet, 1) != 1) return;
    Tcl_DeleteFileHandler(lookup->ends[0]);
    drive->lookup = NULL;
    drive->addresses = drive->address = lookup->list;
    lookup->list = NULL;
    DriveHold(drive);
    if (lookup->failure != 0) {
        snprintf(drive->why, sizeof drive->why, "%s: %s", lookup->host, gai_strerror(lookup->failure));
    }
    LookupRelease(lookup);
    drive->busy++;
    NextAddress(drive);
    drive->busy--;
    DriveStep(drive);
    DriveRelease(drive);
}

/* A connection came about, or not. */
static void Connected(Drive *drive)
{
    int error = 0;
    socklen_t length = sizeof error;

    drive->connecting = 0;
    if (getsockopt(drive->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) error = errno;
    if (error == 0) {
        smtp_engine_connected(drive->engine, drive->fd);
        return;
    }
    snprintf(drive->why, sizeof drive->why, "%s", strerror(error));
    close(drive->fd);
    drive->fd = -1;
    NextAddress(drive);
}

static void Lost(Drive *drive)
{
    char why[200];

    snprintf(why, sizeof why, "the connection was lost: %s", strerror(errno));
    smtp_engine_failed(drive->engine, why);
}

/* Reads what there is; false where there is nothing now. */
static int Read(Drive *drive)
{
    char buffer[PIECE];
    ssize_t n = recv(drive->fd, buffer, sizeof buffer, 0);

    if (n > 0) smtp_engine_input(drive->engine, buffer, (size_t)n);
    else if (n == 0) smtp_engine_eof(drive->engine);
    else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
    else Lost(drive);
    return 1;
}

/* Moves octets until nothing moves. Gives what to wait for. */
static int Exchange(Drive *drive)
{
    size_t turn = 0, unread = 0;

    for (;;) {
        const void *data;
        size_t length = 0;
        ssize_t n;

        if (drive->over || smtp_engine_action(drive->engine) != SMTP_EXCHANGE) return 0;
        smtp_engine_output(drive->engine, &data, &length);
        if (drive->over || smtp_engine_action(drive->engine) != SMTP_EXCHANGE) return 0;
        if (length == 0) {
            if (!Read(drive)) return TCL_READABLE;
            continue;
        }
        if (turn > TURN) return TCL_READABLE | TCL_WRITABLE;
        n = send(drive->fd, data, length, MSG_NOSIGNAL);
        if (n >= 0) {
            smtp_engine_output_done(drive->engine, (size_t)n);
            turn += (size_t)n;
            unread += (size_t)n;
            if (unread < 65536) continue;
            unread = 0; /* an early refusal ends an upload */
            if (!drive->over && smtp_engine_action(drive->engine) == SMTP_EXCHANGE) Read(drive);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!Read(drive)) return TCL_READABLE | TCL_WRITABLE;
        } else if (errno != EINTR) {
            int saved = errno, tries = 8;

            /* The server may have said why. */
            while (tries-- > 0 && !drive->over && smtp_engine_action(drive->engine) == SMTP_EXCHANGE && Read(drive)) {
            }
            errno = saved;
            if (!drive->over && smtp_engine_action(drive->engine) == SMTP_EXCHANGE) Lost(drive);
        }
    }
}

static void Ready(void *data, int mask)
{
    Drive *drive = data;

    (void)mask;
    DriveStep(drive);
}

static void Writable(void *data, int mask)
{
    Drive *drive = data;

    (void)mask;
    DriveHold(drive);
    Unwatch(drive);
    drive->busy++;
    Connected(drive);
    drive->busy--;
    DriveStep(drive);
    DriveRelease(drive);
}

static void TimedOut(void *data)
{
    Drive *drive = data;

    drive->timer = NULL;
    DriveHold(drive);
    drive->busy++;
    if (drive->connecting && drive->giveUp != 0 && Now() >= drive->giveUp) {
        snprintf(drive->why, sizeof drive->why, "%s", strerror(ETIMEDOUT));
        Unwatch(drive);
        close(drive->fd);
        drive->fd = -1;
        drive->connecting = 0;
        NextAddress(drive);
    } else {
        int action = smtp_engine_action(drive->engine);

        smtp_engine_timed_out(drive->engine);
        /* This dial is over, even where the next one is to the same server. */
        if (action == SMTP_DIAL && smtp_engine_timeout(drive->engine) > 0 && smtp_engine_action(drive->engine) == SMTP_DIAL) {
            drive->why[0] = '\0';
            Disconnect(drive);
        }
    }
    drive->busy--;
    DriveStep(drive);
    DriveRelease(drive);
}

static void Watch(Drive *drive, int mask)
{
    int64_t left = smtp_engine_timeout(drive->engine);

    if (drive->fd >= 0 && mask != 0) {
        Tcl_CreateFileHandler(drive->fd, mask, drive->connecting ? Writable : Ready, drive);
        drive->mask = mask;
    }
    if (drive->connecting && drive->giveUp != 0) {
        int64_t own = drive->giveUp - Now();

        if (own < 0) own = 0;
        if (left < 0 || own < left) left = own;
    }
    if (left >= 0) drive->timer = Tcl_CreateTimerHandler(left < INT_MAX ? (int)left : INT_MAX, TimedOut, drive);
}

void DriveStep(Drive *drive)
{
    int mask = 0, rounds = 0;

    if (drive->engine == NULL) return;
    if (drive->busy) {
        drive->again = 1;
        return;
    }
    DriveHold(drive);
    do {
        drive->again = 0;
        drive->busy++;
        Unwatch(drive);
        while (!drive->over) {
            int action = smtp_engine_action(drive->engine);

            mask = 0;
            if (action == SMTP_DIAL) {
                if (!drive->connecting && drive->lookup == NULL) Dial(drive);
                if (drive->over || smtp_engine_action(drive->engine) != SMTP_DIAL) continue;
                if (drive->connecting) mask = TCL_WRITABLE;
                if (drive->connecting || drive->lookup != NULL) break;
            } else if (action == SMTP_EXCHANGE) {
                mask = Exchange(drive);
                if (mask != 0) break;
            } else {
                Disconnect(drive);
                break;
            }
        }
        drive->busy--;
        if (!drive->over) drive->progress(drive);
    } while (drive->again && !drive->over && (++rounds < ROUNDS || drive->fd < 0));
    if (drive->again && !drive->over && !drive->busy) { /* others get their turn */
        Unwatch(drive);
        mask |= TCL_WRITABLE;
    }
    if (!drive->over && !drive->busy && drive->mask == 0 && drive->timer == NULL) Watch(drive, mask);
    DriveRelease(drive);
}

Drive *DriveNew(State *state, const char *local, void *owner, void (*progress)(Drive *), void (*gone)(Drive *))
{
    Drive *drive = calloc(1, sizeof *drive);

    if (drive == NULL) Tcl_Panic("smtp: no memory");
    drive->state = state;
    drive->fd = -1;
    drive->refs = 1;
    drive->owner = owner;
    drive->progress = progress;
    drive->gone = gone;
    if (local != NULL) drive->local = strdup(local);
    drive->next = state->drives;
    drive->link = &state->drives;
    if (drive->next != NULL) drive->next->link = &drive->next;
    state->drives = drive;
    return drive;
}

void DriveBegin(Drive *drive, smtp_engine *engine)
{
    drive->engine = engine;
}

void DriveClose(Drive *drive)
{
    if (drive->over) return;
    drive->over = 1;
    Disconnect(drive);
    *drive->link = drive->next;
    if (drive->next != NULL) drive->next->link = drive->link;
    smtp_engine_free(drive->engine);
    drive->engine = NULL;
    DriveRelease(drive);
}

void DriveHold(Drive *drive)
{
    drive->refs++;
}

void DriveRelease(Drive *drive)
{
    if (--drive->refs > 0) return;
    free(drive->local);
    free(drive);
}

/* A descriptor and the event loop. Tcl watches any on Unix, and only its own sockets on Windows: there this is a source of
 * events beside Tcl's. Windows tells a pool of threads that something happened, which wakes Tcl; what is the case is asked
 * with select whenever Tcl looks for events, so that nothing that happened in between is missed. */
#include "smtp_tcl.h"

#ifndef _WIN32

void Watch(int fd, int mask, Tcl_FileProc *ready, void *data)
{
    Tcl_CreateFileHandler(fd, mask, ready, data);
}

void Unwatch(int fd)
{
    Tcl_DeleteFileHandler(fd);
}

#else

#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>
#include <stdlib.h>

typedef struct Watched {
    struct Watched *next;
    SOCKET socket;
    int mask, queued;
    Tcl_FileProc *ready;
    void *data;
    Tcl_ThreadId thread;
    HANDLE event, wait;
} Watched;

/* What a thread watches. */
typedef struct Local {
    Watched *first;
    int known; /* whether Tcl asks for its events */
} Local;

typedef struct Event {
    Tcl_Event header;
    SOCKET socket;
} Event;

static Tcl_ThreadDataKey key;

static Local *Here(void)
{
    return Tcl_GetThreadData(&key, sizeof(Local));
}

static Watched *Find(SOCKET socket)
{
    Watched *one = Here()->first;

    while (one != NULL && one->socket != socket) one = one->next;
    return one;
}

/* What of its mask is the case. A connection that failed is writable. */
static int Now(const Watched *one)
{
    struct timeval none = {0, 0};
    fd_set reads, writes, fails;

    FD_ZERO(&reads);
    FD_ZERO(&writes);
    FD_ZERO(&fails);
    if (one->mask & TCL_READABLE) FD_SET(one->socket, &reads);
    if (one->mask & TCL_WRITABLE) {
        FD_SET(one->socket, &writes);
        FD_SET(one->socket, &fails);
    }
    if (reads.fd_count + writes.fd_count == 0 || select(0, &reads, &writes, &fails, &none) <= 0) return 0;
    return (reads.fd_count != 0 ? TCL_READABLE : 0) | (writes.fd_count + fails.fd_count != 0 ? TCL_WRITABLE : 0);
}

static int Happened(Tcl_Event *header, int flags)
{
    Watched *one;
    int mask;

    if (!(flags & TCL_FILE_EVENTS)) return 0;
    one = Find(((Event *)header)->socket);
    if (one == NULL) return 1;
    one->queued = 0;
    mask = Now(one);
    if (mask != 0) one->ready(one->data, mask);
    return 1;
}

static void Setup(void *data, int flags)
{
    static const Tcl_Time none;
    Watched *one;

    (void)data;
    if (!(flags & TCL_FILE_EVENTS)) return;
    for (one = Here()->first; one != NULL; one = one->next) {
        if (Now(one) != 0) {
            Tcl_SetMaxBlockTime(&none);
            return;
        }
    }
}

static void Check(void *data, int flags)
{
    Watched *one;

    (void)data;
    if (!(flags & TCL_FILE_EVENTS)) return;
    for (one = Here()->first; one != NULL; one = one->next) {
        Event *event;

        if (one->queued || Now(one) == 0) continue;
        event = (Event *)Tcl_Alloc(sizeof *event);
        event->header.proc = Happened;
        event->socket = one->socket;
        one->queued = 1;
        Tcl_QueueEvent(&event->header, TCL_QUEUE_TAIL);
    }
}

static void Forget(void *data)
{
    (void)data;
    Tcl_DeleteEventSource(Setup, Check, NULL);
    Here()->known = 0;
}

static VOID CALLBACK Wake(void *data, BOOLEAN late)
{
    (void)late;
    Tcl_ThreadAlert(((Watched *)data)->thread);
}

void Watch(int fd, int mask, Tcl_FileProc *ready, void *data)
{
    Local *here = Here();
    Watched *one;

    Unwatch(fd);
    if (!here->known) {
        Tcl_CreateEventSource(Setup, Check, NULL);
        Tcl_CreateThreadExitHandler(Forget, NULL);
        here->known = 1;
    }
    one = calloc(1, sizeof *one);
    if (one == NULL) Tcl_Panic("smtp: no memory");
    one->socket = (SOCKET)fd;
    one->mask = mask;
    one->ready = ready;
    one->data = data;
    one->thread = Tcl_GetCurrentThread();
    one->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (one->event == NULL || !RegisterWaitForSingleObject(&one->wait, one->event, Wake, one, INFINITE, WT_EXECUTEDEFAULT)) {
        Tcl_Panic("smtp: Windows has no event for a socket left");
    }
    WSAEventSelect(one->socket, one->event, FD_CLOSE | (mask & TCL_READABLE ? FD_READ | FD_ACCEPT : 0) |
        (mask & TCL_WRITABLE ? FD_WRITE | FD_CONNECT : 0));
    one->next = here->first;
    here->first = one;
}

void Unwatch(int fd)
{
    Watched **link = &Here()->first, *one;

    while (*link != NULL && (*link)->socket != (SOCKET)fd) link = &(*link)->next;
    one = *link;
    if (one == NULL) return;
    *link = one->next;
    WSAEventSelect(one->socket, NULL, 0);
    /* Not while it wakes Tcl. */
    UnregisterWaitEx(one->wait, INVALID_HANDLE_VALUE);
    CloseHandle(one->event);
    free(one);
}

#endif

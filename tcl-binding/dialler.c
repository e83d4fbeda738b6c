/* A -dialler script, which connects in the library's place. The library connects in a thread of its own; the script runs in that of the
 * interpreter, from its event loop. */
#include "smtp_tcl.h"
#include <stdlib.h>
#include <string.h>
#ifndef _WIN32 /* where the socket of a channel has no second handle that outlives it */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the library holds. Other threads look at nothing of it but the thread. */
typedef struct Dialler {
    Tcl_ThreadId thread;
    Script *script;
    Tcl_Interp *interp; /* preserved */
} Dialler;

/* One question, for the thread that asks and for the one that answers, under the lock. */
typedef struct Call {
    Dialler *dialler;
    const char *host; /* NULL: nobody waits any more */
    int port;
    long long timeout; /* in milliseconds */
    Tcl_Condition answered;
    int done, refs;
    int fd; /* -1: none, and why */
    char *why;
    size_t size;
} Call;

typedef struct CallEvent {
    Tcl_Event event;
    Call *call;
} CallEvent;

typedef struct DropEvent {
    Tcl_Event event;
    Dialler *dialler;
} DropEvent;

TCL_DECLARE_MUTEX(lock)

/* With the lock. */
static void CallDrop(Call *call)
{
    if (--call->refs > 0) return;
    Tcl_ConditionFinalize(&call->answered);
    free(call);
}

/* Leaves the channel a socket that is not connected: Tcl 9 shuts down what it closes, which would end the connection for every
 * descriptor of it. */
static int Emptied(Tcl_Channel channel, int fd)
{
    int other = socket(AF_UNIX, SOCK_STREAM, 0), result;

    if (other < 0) return -1;
    /* What watches it is not told of another socket below. */
    Tcl_ChannelWatchProc(Tcl_GetChannelType(channel))(Tcl_GetChannelInstanceData(channel), 0);
    result = dup2(other, fd);
    close(other);
    return result;
}

/* Anything else stays the script's: it may be standard output, by mistake. */
static int IsConnected(int fd)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;

    return getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
}

/* The socket of the channel, which is closed; -1 and an error. */
static int Taken(Tcl_Interp *interp, Tcl_Obj *name)
{
    Tcl_Channel channel = Tcl_GetChannel(interp, Tcl_GetString(name), NULL);
    void *handle = NULL;
    const char *wrong = NULL;
    int fd = -1;

    if (channel == NULL) return -1;
    if (Tcl_GetTopChannel(channel) != channel) {
        wrong = "has a transformation on it: return the socket below";
    } else if (Tcl_InputBuffered(channel) > 0) {
        wrong = "has input that was read: leave what the server says to the library";
    } else if (Tcl_Flush(channel) != TCL_OK
        || Tcl_GetChannelHandle(channel, TCL_READABLE, (ClientData *)&handle) != TCL_OK || !IsConnected((int)(intptr_t)handle)) {
        wrong = "is not a connected socket";
    } else if ((fd = fcntl((int)(intptr_t)handle, F_DUPFD_CLOEXEC, 3)) < 0) {
        wrong = "cannot be taken over, as the process has no descriptor left";
    } else if (Emptied(channel, (int)(intptr_t)handle) < 0) {
        wrong = "cannot be taken over, as the process has no descriptor left";
        close(fd);
        fd = -1;
    }
    if (wrong != NULL) Tcl_SetObjResult(interp, Tcl_ObjPrintf("the channel %s %s", Tcl_GetString(name), wrong));
    else if (Tcl_UnregisterChannel(interp, channel) != TCL_OK) Tcl_ResetResult(interp);
    return fd;
}

/* Runs the script in its thread. */
static int Answer(Tcl_Event *event, int flags)
{
    Call *call = ((CallEvent *)event)->call;
    Dialler *dialler = call->dialler;
    Script *script;
    Tcl_Obj *words[3];
    Tcl_DString why;
    int fd = -1;

    (void)flags;
    Tcl_MutexLock(&lock);
    if (call->host == NULL) {
        CallDrop(call);
        Tcl_MutexUnlock(&lock);
        return 1;
    }
    script = dialler->script;
    words[0] = TextFrom(call->host);
    words[1] = Tcl_NewIntObj(call->port);
    words[2] = Tcl_NewDoubleObj((double)call->timeout / 1000);
    Tcl_MutexUnlock(&lock);
    Tcl_DStringInit(&why);
    if (Tcl_InterpDeleted(script->interp)) {
        Tcl_DecrRefCount(words[0]);
        Tcl_DecrRefCount(words[1]);
        Tcl_DecrRefCount(words[2]);
        Tcl_DStringAppend(&why, "the interpreter is deleted", -1);
    } else {
        int result = ScriptCall(script, 3, words);

        if (result == TCL_OK && !Tcl_InterpDeleted(script->interp)) {
            Tcl_Obj *name = Tcl_GetObjResult(script->interp);

            Tcl_IncrRefCount(name);
            fd = Taken(script->interp, name);
            Tcl_DecrRefCount(name);
        }
        if (fd < 0) ScriptWhy(script, "the error of -dialler", &why);
        ScriptDone(script);
    }
    Tcl_MutexLock(&lock);
    if (call->host == NULL) {
        if (fd >= 0) close(fd);
    } else {
        call->fd = fd;
        if (fd < 0) {
            strncpy(call->why, Tcl_DStringValue(&why), call->size - 1);
            call->why[call->size - 1] = '\0';
        }
        call->done = 1;
        Tcl_ConditionNotify(&call->answered);
    }
    CallDrop(call);
    Tcl_MutexUnlock(&lock);
    Tcl_DStringFree(&why);
    return 1;
}

/* In a thread of the library's. */
static int Dial(void *data, const char *host, int port, int64_t timeout, char *why, size_t size)
{
    Dialler *dialler = data;
    Call *call = calloc(1, sizeof *call);
    CallEvent *event = (CallEvent *)Tcl_Alloc(sizeof *event);
    Tcl_Time wait, now, end;
    int fd;

    if (call == NULL) Tcl_Panic("smtp: no memory");
    call->dialler = dialler;
    call->host = host;
    call->port = port;
    call->timeout = timeout;
    call->refs = 2;
    call->fd = -1;
    call->why = why;
    call->size = size;
    event->event.proc = Answer;
    event->call = call;
    Tcl_GetTime(&end);
    end.sec += (long)(timeout / 1000);
    end.usec += (long)(timeout % 1000) * 1000;
    Tcl_MutexLock(&lock);
    Tcl_ThreadQueueEvent(dialler->thread, &event->event, TCL_QUEUE_TAIL);
    Tcl_ThreadAlert(dialler->thread);
    while (!call->done) {
        Tcl_GetTime(&now);
        wait.sec = end.sec - now.sec;
        wait.usec = end.usec - now.usec;
        while (wait.usec < 0) wait.sec--, wait.usec += 1000000;
        wait.sec += wait.usec / 1000000;
        wait.usec %= 1000000;
        if (wait.sec < 0 || (wait.sec == 0 && wait.usec == 0)) break;
        Tcl_ConditionWait(&call->answered, &lock, &wait);
    }
    if (!call->done) {
        strncpy(why, "the script of -dialler gave no channel in time: it runs in the event loop", size - 1);
        call->host = NULL;
    }
    fd = call->fd;
    CallDrop(call);
    Tcl_MutexUnlock(&lock);
    return fd;
}

static void DiallerDrop(Dialler *dialler)
{
    ScriptDrop(dialler->script);
    Tcl_Release(dialler->interp);
    free(dialler);
}

static int DropNow(Tcl_Event *event, int flags)
{
    (void)flags;
    DiallerDrop(((DropEvent *)event)->dialler);
    return 1;
}

/* In any thread. What a thread has that has ended meanwhile ended with it. */
static void Release(void *data)
{
    Dialler *dialler = data;
    DropEvent *event;

    if (Tcl_GetCurrentThread() == dialler->thread) {
        DiallerDrop(dialler);
        return;
    }
    event = (DropEvent *)Tcl_Alloc(sizeof *event);
    event->event.proc = DropNow;
    event->dialler = dialler;
    Tcl_ThreadQueueEvent(dialler->thread, &event->event, TCL_QUEUE_TAIL);
    Tcl_ThreadAlert(dialler->thread);
}

int DiallerOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *words, Script **script)
{
    Dialler *dialler;

    if (*script != NULL) ScriptDrop(*script); /* the last one counts */
    *script = NULL;
    if (*Tcl_GetString(words) == '\0') return smtp_options_set_dialler(options, NULL, NULL, NULL);
    dialler = calloc(1, sizeof *dialler);
    if (dialler == NULL) Tcl_Panic("smtp: no memory");
    dialler->thread = Tcl_GetCurrentThread();
    dialler->script = *script = ScriptNew(interp, words);
    dialler->script->refs++;
    dialler->interp = interp;
    Tcl_Preserve(interp);
    return smtp_options_set_dialler(options, Dial, dialler, Release);
}
#endif

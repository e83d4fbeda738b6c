/* A message out of a Tcl channel, in bounded pieces. */
#include "smtp_tcl.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY (4 * 1024 * 1024) /* octets of a message that may be in memory whole */
#define PIECE 65536

struct Source {
    Tcl_Interp *interp;
    Tcl_Channel channel;
    Tcl_Obj *name;
    Tcl_WideInt start, size; /* -1: it cannot go back, and nobody knows */
    int own;     /* close it at the end */
    int gone;    /* somebody closed it, or the wait was in vain */
    int refs;    /* the caller's, and the message's */
    int starved; /* the last read found nothing, and not the end */
    int handled; /* there is a channel handler */
    Tcl_DString head; /* what was read before the send could begin, */
    Tcl_Size given;   /* and how much of it was given again */
    Drive *drive;
    void (*ready)(void *data);
    void *data;
    Tcl_TimerToken timer;
    char blocking[8], translation[64], encoding[64];
};

/* There may be more, or there will be none: whoever waits tries again. */
static void Wake(Source *source)
{
    void (*ready)(void *) = source->ready;

    if (source->timer != NULL) Tcl_DeleteTimerHandler(source->timer);
    source->timer = NULL;
    if (ready != NULL) {
        source->ready = NULL;
        ready(source->data);
    } else if (source->drive != NULL) {
        DriveStep(source->drive);
    }
}

static void Vain(void *data)
{
    Source *source = data;

    source->timer = NULL;
    source->gone = 1;
    Wake(source);
}

static void Closed(void *data)
{
    Source *source = data;

    source->gone = 1;
    source->handled = 0;
    source->channel = NULL;
    /* Not from within close. */
    if (source->timer != NULL) Tcl_DeleteTimerHandler(source->timer);
    source->timer = source->ready != NULL || source->drive != NULL ? Tcl_CreateTimerHandler(0, Vain, source) : NULL;
}

static void Keep(Source *source, const char *option, char *into, size_t size)
{
    Tcl_DString value;

    Tcl_DStringInit(&value);
    into[0] = '\0';
    if (Tcl_GetChannelOption(source->interp, source->channel, option, &value) == TCL_OK
        && (size_t)Tcl_DStringLength(&value) < size) {
        strcpy(into, Tcl_DStringValue(&value));
    }
    Tcl_DStringFree(&value);
}

Source *SourceNew(Tcl_Interp *interp, Tcl_Obj *name, int own)
{
    int mode = 0;
    Tcl_Channel channel = Tcl_GetChannel(interp, Tcl_GetString(name), &mode);
    Source *source;

    if (channel == NULL) return NULL;
    if (!(mode & TCL_READABLE)) {
        Tcl_SetObjResult(interp, Tcl_ObjPrintf("channel \"%s\" wasn't opened for reading", Tcl_GetString(name)));
        return NULL;
    }
    source = calloc(1, sizeof *source);
    if (source == NULL) Tcl_Panic("smtp: no memory");
    source->interp = interp;
    source->channel = channel;
    source->own = own;
    source->refs = 1;
    source->size = -1;
    Tcl_DStringInit(&source->head);
    source->name = name;
    Tcl_IncrRefCount(name);
    Keep(source, "-blocking", source->blocking, sizeof source->blocking);
    Keep(source, "-translation", source->translation, sizeof source->translation);
    Keep(source, "-encoding", source->encoding, sizeof source->encoding);
    Tcl_CreateCloseHandler(channel, Closed, source);
    source->start = Tcl_Tell(channel); /* -1: it cannot go back */
    Tcl_SetChannelOption(interp, channel, "-translation", "binary");
    Tcl_SetChannelOption(interp, channel, "-blocking", "0");
    return source;
}

static void Readable(void *data, int mask);

/* A handler that stays would be called all the time while the server takes nothing. */
static void Handle(Source *source, int wanted)
{
    if (wanted == source->handled || source->channel == NULL) return;
    if (wanted) Tcl_CreateChannelHandler(source->channel, TCL_READABLE, Readable, source);
    else Tcl_DeleteChannelHandler(source->channel, Readable, source);
    source->handled = wanted;
}

static void Readable(void *data, int mask)
{
    Source *source = data;

    (void)mask;
    Handle(source, 0);
    Wake(source);
}

static int64_t ReadSource(void *data, void *buffer, size_t size)
{
    Source *source = data;
    Tcl_Size most = size > PIECE ? PIECE : (Tcl_Size)size, n = Tcl_DStringLength(&source->head) - source->given;

    source->starved = 0;
    if (source->gone) return -1;
    if (n > 0) {
        if (n > most) n = most;
        memcpy(buffer, Tcl_DStringValue(&source->head) + source->given, (size_t)n);
        source->given += n;
        return (int64_t)n;
    }
    if (source->drive != NULL) Tcl_DStringSetLength(&source->head, 0), source->given = 0;
    n = Tcl_Read(source->channel, buffer, most);
    if (source->gone) return -1; /* a channel may be a script */
    if (n > 0) {
        if (source->drive == NULL) {
            Tcl_DStringAppend(&source->head, buffer, n);
            source->given += n;
        }
        return (int64_t)n;
    }
    if (n < 0 && !Tcl_InputBlocked(source->channel)) return -1;
    if (Tcl_Eof(source->channel)) return 0;
    source->starved = 1;
    if (source->drive != NULL) Handle(source, 1);
    return SMTP_READ_AGAIN;
}

static int Rewind(void *data)
{
    Source *source = data;

    if (source->gone) return -1;
    Tcl_DStringSetLength(&source->head, 0);
    source->given = 0;
    return Tcl_Seek(source->channel, source->start, SEEK_SET) == source->start ? 0 : -1;
}

/* Gives the channel back as it was, or closes it. */
static void Restore(Source *source)
{
    Tcl_Channel channel = source->channel;

    if (source->timer != NULL) Tcl_DeleteTimerHandler(source->timer);
    source->timer = NULL;
    source->ready = NULL;
    source->drive = NULL;
    source->gone = 1;
    if (channel == NULL) return;
    Handle(source, 0);
    Tcl_DeleteCloseHandler(channel, Closed, source);
    source->channel = NULL;
    if (source->own) {
        Tcl_UnregisterChannel(source->interp, channel);
        return;
    }
    if (source->blocking[0]) Tcl_SetChannelOption(source->interp, channel, "-blocking", source->blocking);
    if (source->encoding[0]) Tcl_SetChannelOption(source->interp, channel, "-encoding", source->encoding);
    if (source->translation[0]) Tcl_SetChannelOption(source->interp, channel, "-translation", source->translation);
}

static void Drop(void *data)
{
    Source *source = data;

    if (--source->refs > 0) return;
    Restore(source);
    Tcl_DStringFree(&source->head);
    Tcl_DecrRefCount(source->name);
    free(source);
}

int SourceWhole(Source *source, smtp_message *message)
{
    Tcl_WideInt size = source->start < 0 ? -1 : Tcl_Seek(source->channel, 0, SEEK_END) - source->start;
    Tcl_Obj *octets;

    if (size < 0 || Rewind(source) != 0) return 0;
    source->size = size;
    if (size > MEMORY) return 0;
    octets = Tcl_NewByteArrayObj(NULL, 0);
    Tcl_IncrRefCount(octets);
    if (Tcl_ReadChars(source->channel, octets, -1, 0) == size) {
        Tcl_Size length;
        const unsigned char *data = Tcl_GetByteArrayFromObj(octets, &length);

        smtp_message_set_message(message, data, (size_t)length);
    } else {
        size = -1;
        Rewind(source);
    }
    Tcl_DecrRefCount(octets);
    return size >= 0;
}

int SourceMessage(Source *source, smtp_message *message)
{
    source->refs++;
    source->given = 0;
    source->starved = 0;
    return smtp_message_set_message_reader(message, ReadSource, source->start >= 0 ? Rewind : NULL, source, Drop,
        source->size);
}

int SourceStarved(const Source *source)
{
    return source->starved;
}

void SourceWait(Source *source, long long ms, void (*ready)(void *data), void *data)
{
    source->ready = ready;
    source->data = data;
    source->timer = Tcl_CreateTimerHandler(ms < INT_MAX ? (int)ms : INT_MAX, Vain, source);
    Handle(source, 1);
}

void SourceFeeds(Source *source, Drive *drive)
{
    source->drive = drive;
}

void SourceClose(Source *source)
{
    Restore(source);
    Drop(source);
}

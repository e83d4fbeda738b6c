/* A message out of a Tcl channel, in bounded pieces. */
#include "smtp_tcl.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY (4 * 1024 * 1024) /* octets of a message that may be in memory whole */
#define PIECE 65536

struct Source {
    Source *next; /* of the thread's */
    Tcl_Interp *interp;
    Tcl_Channel channel;
    Tcl_Obj *name;
    Tcl_WideInt start, size; /* -1: it cannot go back, and nobody knows */
    int own;     /* close it at the end */
    int gone;    /* somebody closed it, or the wait was in vain */
    int left;    /* the caller needs it no more */
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

/* All of this thread: an octet of a channel is for one message. */
static Source **Sources(void)
{
    static Tcl_ThreadDataKey key;

    return Tcl_GetThreadData(&key, sizeof(Source *));
}

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

static void Again(void *data)
{
    Source *source = data;

    source->timer = NULL;
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

static void Drop(void *data);

/* A channel may be a script, which may close it, end the send or delete the interpreter: whatever calls the channel
 * holds all three meanwhile. */
static Tcl_Channel Hold(Source *source)
{
    Tcl_Channel channel = source->channel;

    source->refs++;
    Tcl_Preserve(source->interp);
    Tcl_RegisterChannel(NULL, channel);
    return channel;
}

static void LetGo(Source *source, Tcl_Channel channel)
{
    Tcl_Interp *interp = source->interp;

    Tcl_UnregisterChannel(NULL, channel); /* which closes it where the script has */
    Drop(source);
    Tcl_Release(interp);
}

static void Keep(Tcl_Channel channel, const char *option, char *into, size_t size)
{
    Tcl_DString value;

    Tcl_DStringInit(&value);
    into[0] = '\0';
    if (Tcl_GetChannelOption(NULL, channel, option, &value) == TCL_OK
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
    for (source = *Sources(); source != NULL; source = source->next) {
        if (source->channel != channel) continue;
        Fail(interp, SMTP_ERR_USAGE, "the channel is being sent from: wait until that send has ended");
        return NULL;
    }
    source = calloc(1, sizeof *source);
    if (source == NULL) Tcl_Panic("smtp: no memory");
    source->next = *Sources();
    *Sources() = source;
    source->interp = interp;
    source->channel = channel;
    source->own = own;
    source->refs = 1;
    source->size = -1;
    Tcl_DStringInit(&source->head);
    source->name = name;
    Tcl_IncrRefCount(name);
    Hold(source);
    Keep(channel, "-blocking", source->blocking, sizeof source->blocking);
    Keep(channel, "-translation", source->translation, sizeof source->translation);
    Keep(channel, "-encoding", source->encoding, sizeof source->encoding);
    Tcl_CreateCloseHandler(channel, Closed, source);
    source->start = Tcl_Tell(channel); /* -1: it cannot go back */
    Tcl_SetChannelOption(NULL, channel, "-translation", "binary");
    Tcl_SetChannelOption(NULL, channel, "-blocking", "0");
    LetGo(source, channel);
    if (!source->gone) return source;
    SourceClose(source);
    Fail(interp, SMTP_ERR_SOURCE, "the channel was closed while it was looked at");
    return NULL;
}

static void Readable(void *data, int mask);

/* A handler that stays would be called all the time while the server takes nothing. */
static void Handle(Source *source, int wanted)
{
    if (wanted == source->handled || source->channel == NULL) return;
    source->handled = wanted; /* before: both may run a script */
    if (wanted) Tcl_CreateChannelHandler(source->channel, TCL_READABLE, Readable, source);
    else Tcl_DeleteChannelHandler(source->channel, Readable, source);
}

static void Readable(void *data, int mask)
{
    Source *source = data;
    Tcl_Channel channel = Hold(source);

    (void)mask;
    Handle(source, 0);
    Wake(source);
    LetGo(source, channel);
}

/* Reads; -1 also where the channel was closed by its own script, whose last octets are not the end of the message. */
static Tcl_Size Read(Source *source, Tcl_Channel channel, char *buffer, Tcl_Size most)
{
    int registered = Tcl_IsChannelRegistered(source->interp, channel);
    Tcl_Size n = Tcl_Read(channel, buffer, most);

    if (source->gone || (registered && !Tcl_IsChannelRegistered(source->interp, channel))) return -1;
    if (n > 0) {
        if (source->drive == NULL) {
            Tcl_DStringAppend(&source->head, buffer, n);
            source->given += n;
        }
        return n;
    }
    if (n < 0 && !Tcl_InputBlocked(channel)) return -1;
    if (Tcl_Eof(channel)) return 0;
    source->starved = 1;
    if (source->drive != NULL) Handle(source, 1);
    return source->gone ? -1 : SMTP_READ_AGAIN;
}

static int64_t ReadSource(void *data, void *buffer, size_t size)
{
    Source *source = data;
    Tcl_Size most = size > PIECE ? PIECE : (Tcl_Size)size, n = Tcl_DStringLength(&source->head) - source->given;
    Tcl_Channel channel;

    source->starved = 0;
    if (source->gone) return -1;
    if (n > 0) {
        if (n > most) n = most;
        memcpy(buffer, Tcl_DStringValue(&source->head) + source->given, (size_t)n);
        source->given += n;
        return (int64_t)n;
    }
    if (source->drive != NULL) Tcl_DStringSetLength(&source->head, 0), source->given = 0;
    channel = Hold(source);
    n = Read(source, channel, buffer, most);
    LetGo(source, channel);
    return (int64_t)n;
}

static int Rewind(void *data)
{
    Source *source = data;
    Tcl_Channel channel;
    int there;

    if (source->gone) return -1;
    Tcl_DStringSetLength(&source->head, 0);
    source->given = 0;
    channel = Hold(source);
    there = Tcl_Seek(channel, source->start, SEEK_SET) == source->start && !source->gone;
    LetGo(source, channel);
    return there ? 0 : -1;
}

/* Gives the channel back as it was, or closes it. What its script does then finds nothing of the source any more. */
static void Restore(Source *source)
{
    Tcl_Interp *interp = source->interp;
    Tcl_Channel channel = source->channel;

    if (source->timer != NULL) Tcl_DeleteTimerHandler(source->timer);
    source->timer = NULL;
    source->ready = NULL;
    source->drive = NULL;
    source->gone = 1;
    source->left = 1;
    if (channel == NULL) return;
    source->channel = NULL;
    Tcl_Preserve(interp);
    Tcl_RegisterChannel(NULL, channel);
    Tcl_DeleteCloseHandler(channel, Closed, source);
    if (source->handled) Tcl_DeleteChannelHandler(channel, Readable, source);
    source->handled = 0;
    if (source->own) {
        Tcl_UnregisterChannel(interp, channel);
    } else {
        if (source->blocking[0]) Tcl_SetChannelOption(NULL, channel, "-blocking", source->blocking);
        if (source->encoding[0]) Tcl_SetChannelOption(NULL, channel, "-encoding", source->encoding);
        if (source->translation[0]) Tcl_SetChannelOption(NULL, channel, "-translation", source->translation);
    }
    Tcl_UnregisterChannel(NULL, channel);
    Tcl_Release(interp);
}

static void Drop(void *data)
{
    Source *source = data, **at;

    if (--source->refs > 0) return;
    Restore(source);
    for (at = Sources(); *at != source; at = &(*at)->next) {
    }
    *at = source->next;
    Tcl_DStringFree(&source->head);
    Tcl_DecrRefCount(source->name);
    free(source);
}

static int Whole(Source *source, Tcl_Channel channel, smtp_message *message)
{
    Tcl_WideInt size = Tcl_Seek(channel, 0, SEEK_END) - source->start;
    Tcl_Obj *octets;

    if (size < 0 || Rewind(source) != 0) return 0;
    source->size = size;
    if (size > MEMORY) return 0;
    octets = Tcl_NewByteArrayObj(NULL, 0);
    Tcl_IncrRefCount(octets);
    if (Tcl_ReadChars(channel, octets, -1, 0) == size && !source->gone) {
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

int SourceWhole(Source *source, smtp_message *message)
{
    Tcl_Channel channel;
    int whole;

    if (source->gone || source->start < 0) return 0;
    channel = Hold(source);
    whole = Whole(source, channel, message);
    LetGo(source, channel);
    return whole;
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
    int early = 0;

    if (!source->gone) {
        Tcl_Channel channel = Hold(source);
        int left;

        Handle(source, 1); /* where the channel is a script this may enter the event loop, and nobody waits yet */
        early = !source->handled;
        left = source->left;
        LetGo(source, channel);
        if (left) return;
    }
    source->ready = ready;
    source->data = data;
    if (source->timer != NULL) Tcl_DeleteTimerHandler(source->timer);
    if (source->gone) source->timer = Tcl_CreateTimerHandler(0, Vain, source);
    else if (early) source->timer = Tcl_CreateTimerHandler(0, Again, source);
    else source->timer = Tcl_CreateTimerHandler(ms < INT_MAX ? (int)ms : INT_MAX, Vain, source);
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

/* Made by cargo run -p libsmtp --example header: change ffi-c/src instead. */
/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef LIBSMTP_H
#define LIBSMTP_H

/*
 * libsmtp: an SMTP client that knows what became of every message. Link with -lsmtp, or
 * pkg-config --cflags --libs libsmtp.
 *
 *   #include <libsmtp.h>
 *   #include <stdio.h>
 *   #include <string.h>
 *
 *   int main(void)
 *   {
 *       const char *text = "Hello, Bob.\n";
 *       smtp_message *message = smtp_message_new();
 *       smtp_options *options = smtp_options_new();
 *       smtp_result *result;
 *       size_t i;
 *       int status;
 *       smtp_message_set_text(message, text, strlen(text));
 *       smtp_message_set_header(message, "From", "alice@a.example");
 *       smtp_message_set_header(message, "To", "Bob <bob@b.example>");
 *       smtp_message_set_header(message, "Subject", "Greetings");
 *       smtp_options_set(options, "servers", "mail.a.example");
 *       status = smtp_sendmessage(message, options, &result);
 *       if (status != SMTP_OK)
 *           fprintf(stderr, "%s\n", smtp_result_error(result));
 *       for (i = 0; i < smtp_result_refused_count(result); i++)
 *           fprintf(stderr, "%s: %s\n", smtp_result_refused_address(result, i),
 *               smtp_result_refused_reply_text(result, i));
 *       smtp_result_free(result);
 *       smtp_options_free(options);
 *       smtp_message_free(message);
 *       return status != SMTP_OK;
 *   }
 *
 * What holds for every function:
 *
 * Handles. You own every handle that a function named _new, _copy, _open or _parse returns, or that one stores in a
 * T **out: free it with the _free (or _close) of its type. Freeing NULL does nothing.
 *
 * Memory. The library copies what you pass in. The strings that it returns (const char *) belong to their handle: never
 * free them. They live until the next call that takes the handle without const; those of a result or an address list
 * live as long as that. They end in NUL and are UTF-8; one that has nothing to say is empty, not NULL, unless its comment
 * says otherwise. Text that you pass in is UTF-8, too; paths may be any octets.
 *
 * Codes. An int status is 0 (SMTP_OK) if all went well, positive if some of it did, and negative if nothing
 * did. The comment of a function lists its codes; besides those it may return SMTP_ERR_NULL (a pointer is NULL
 * that must not be), SMTP_ERR_USAGE (a text that is not UTF-8), SMTP_ERR_BUSY (the handle is in use) and
 * SMTP_ERR_PANIC (an internal error: free the handle, and please report it). A change that fails changes nothing,
 * and the error function of the handle says why. Verbs of a session return the server's reply code. Counts and
 * numbers are 0 for NULL.
 *
 * Threads. A handle is used by one thread at a time, except for a mailer, which any number may use; different handles
 * never interfere. Functions that take a message or options with const may run on several threads at once, also
 * on the same ones.
 *
 * Callbacks return; they neither throw nor longjmp. A callback may use any handle but the one in use by the call
 * that called it: that gives SMTP_ERR_BUSY (and empty strings, and 0 for numbers).
 *
 * The library keeps no state but in handles, starts threads only to resolve a name and for a mailer,
 * installs no signal handler, raises no SIGPIPE, and prints nothing unless option debug says so.
 *
 * Numbers, names and signatures are never changed or reused; new ones may be added.
 *
 * The options of smtp_options_set(), what each takes, and its default; docs/options.md says what each does:
 *
 * Servers and transfer:
 *   servers             servers (localhost)
 *   ports               ports (25; by URL 465, 587, 24)
 *   order               given | random | turn (given)
 *   client              text (localhost if the server is, else the host's name)
 *   lmtp                flag (no)
 *   proxy               secret (none)
 *   localaddress        ip (the system's choice)
 *   family              any | ipv4 | ipv6 (any)
 *   queue               flag (no)
 *   pipelining          off | rfc | crossing | full (rfc)
 *   chunking            off | auto | on (auto)
 *   binary              flag (no)
 *   ignore              words (none)
 *   reconnect           flag (no)
 *   debug               flag (no)
 * Envelope and header:
 *   originator          mailbox (From (or Sender), else the login name at this host)
 *   recipients          addresses (To, Cc, Bcc, Dcc, or their Resent- forms)
 *   redirectto          mailbox (none: each recipient gets the message)
 *   redirectexcept      words (none)
 *   atleastone          flag (no)
 *   defaultdomain       text (none: such an address is an error; in Tcl the host's name)
 *   header              header (none)
 *   dkim                signature (none)
 *   dsnnotify           words (the server's)
 *   dsnret              full | headers | hdrs (the server's)
 *   dsnenvid            text (none)
 *   tag                 text (none)
 *   smtputf8            flag (no)
 *   deliverby           text (none)
 *   priority            integer (none)
 *   hold                text (none)
 *   mailparameters      text (none)
 *   rcptparameters      text (none)
 *   rcpt                recipient (none)
 * When TLS is used:
 *   usetls              flag (yes)
 *   tlsimport           flag (no)
 *   tlsrequired         flag (no)
 *   tlspolicy           secure | insecure (insecure; with a login, or if TLS is required, secure)
 *   requiretls          flag (no)
 * What TLS is like:
 *   tlsverify           flag (yes)
 *   tlstrust            system | given | both (both)
 *   tlscafile           file (none)
 *   tlsca               certificates (none)
 *   tlscertfile         file (none)
 *   tlskeyfile          file (in tlscertfile)
 *   tlskeypassword      secret (none)
 *   tlsfingerprint      words (none)
 *   tlsminversion       1.0 | 1.1 | 1.2 | 1.3 (1.2)
 *   tlsmaxversion       1.0 | 1.1 | 1.2 | 1.3 (the library's)
 *   tlsciphers          text (the library's)
 *   tlskeylog           file (none)
 *   tlsservername       text (the server's)
 * Login:
 *   username            text (none)
 *   password            secret (none)
 *   authzid             text (who logs in)
 *   oauthtoken          secret (none)
 *   auth                words (strongest first)
 *   authinsecure        flag (no)
 * Time limits:
 *   connecttimeout      seconds (30)
 *   timeout             seconds (as RFC 5321 has it: 120 to 300)
 *   maxsecs             seconds (600)
 *   deadline            seconds (none)
 * Mailer:
 *   connections         integer (4)
 *   connectionmessages  integer (no limit)
 *   rate                number (no limit)
 *   queuesize           integer (1000)
 *   retries             integer (3)
 *   backoff             seconds (1)
 *   retrytime           seconds (600)
 *   idletime            seconds (30)
 */

/** The version of this header; smtp_library_version() has that of the library. */
#define SMTP_VERSION "0.1.0"
/** The same as a number that grows: major, minor and patch, 8 bits each. */
#define SMTP_VERSION_NUMBER 0x000100

/** For smtp_session_authenticate(): the mechanisms that the server offers, strongest first. */
#define SMTP_AUTH_DEFAULT NULL
/** For smtp_session_authenticate(): PLAIN only (RFC 4616). */
#define SMTP_AUTH_PLAIN "PLAIN"
/** For smtp_session_authenticate(): LOGIN only. */
#define SMTP_AUTH_LOGIN "LOGIN"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Done. For sends: the server took the message for every recipient. */
#define SMTP_OK 0

/** The server took the message for some of the recipients; the result lists the others. */
#define SMTP_PARTIAL 1

/**
 * Invalid call, found before anything was sent; the text names the argument, the value and how to fix it.
 */
#define SMTP_ERR_USAGE (-1)

/** The server's name could not be resolved to an address. */
#define SMTP_ERR_RESOLVE (-2)

/** No connection could be made. */
#define SMTP_ERR_CONNECT (-3)

/** The server, or the whole call, took longer than was allowed. */
#define SMTP_ERR_TIMEOUT (-4)

/** The connection ended before the step was done, or was ended before. */
#define SMTP_ERR_CLOSED (-5)

/** The server said something that is not SMTP, or not at this place. */
#define SMTP_ERR_PROTOCOL (-6)

/** The server refused a step: the greeting, EHLO, MAIL, DATA or the message itself. */
#define SMTP_ERR_REFUSED (-7)

/** The server refused recipients, and so nothing was sent; the result lists them. */
#define SMTP_ERR_RECIPIENTS (-8)

/** The server does not offer what an option or the message needs. */
#define SMTP_ERR_UNSUPPORTED (-9)

/** The message is larger than the server takes. */
#define SMTP_ERR_TOOLARGE (-10)

/** The message could not be read, or not be written: a file, or one of your callbacks. */
#define SMTP_ERR_SOURCE (-11)

/** TLS could not be set up as the options ask. */
#define SMTP_ERR_TLS (-12)

/** No login succeeded, and credentials were given. */
#define SMTP_ERR_LOGIN (-13)

/** The call was cancelled. */
#define SMTP_ERR_CANCELLED (-14)

/**
 * The message may have been delivered, at least for one recipient: the connection ended between its end
 * and the reply. Nothing is sent again by itself, for it could arrive twice.
 */
#define SMTP_ERR_UNKNOWN (-15)

/** A pointer is NULL that must not be. */
#define SMTP_ERR_NULL (-16)

/** The handle is in use: by the call from which your callback was called, or by another thread. */
#define SMTP_ERR_BUSY (-17)

/** An internal error: free the handle, which takes nothing else now, and please report it. */
#define SMTP_ERR_PANIC (-18)

/** The queue of a mailer is full; the message was not taken. */
#define SMTP_ERR_FULL (-19)

/** The function of option commit failed, and the message was withdrawn before its end. */
#define SMTP_ERR_COMMIT (-20)

/** The server took the message for this recipient. */
#define SMTP_ACCEPTED 1

/** The server refused this recipient, or the message; 4yz: for now, 5yz: for good. */
#define SMTP_REJECTED 2

/** The server has no message for this recipient and did not refuse it: sending again is safe. */
#define SMTP_NOT_SENT 3

/** The message may have been delivered to this recipient, or not. */
#define SMTP_UNKNOWN 4

/** A reader has nothing now; ask again later. */
#define SMTP_READ_AGAIN (-2)

/** A TLS policy's answer: close the connection. */
#define SMTP_SECURE 0

/** A TLS policy's answer: go on in plain text. */
#define SMTP_INSECURE 1

/**
 * Why a token is asked for: a connection logs in. One that was kept will do while it has not expired.
 */
#define SMTP_TOKEN_FIRST 0

/** The server refused the token before: only a new one can help. */
#define SMTP_TOKEN_REFUSED 1

/** A line of a transcript that the client said. */
#define SMTP_CLIENT 1

/** A line of a transcript that the server said. */
#define SMTP_SERVER 2

/** A remark in a transcript, such as the number of octets of a message. */
#define SMTP_NOTE 3

/** A commit does not know yet; ask again later. */
#define SMTP_COMMIT_AGAIN (-2)

/** How a body is encoded: as its content and the server need it. The default. */
#define SMTP_ENCODING_AUTO 0

/** 7bit, if the content is. */
#define SMTP_ENCODING_7BIT 1

/** 8bit, if the server offers 8BITMIME. */
#define SMTP_ENCODING_8BIT 2

/** quoted-printable. */
#define SMTP_ENCODING_QUOTED_PRINTABLE 3

/** base64. */
#define SMTP_ENCODING_BASE64 4

/** binary, if the server offers BINARYMIME. */
#define SMTP_ENCODING_BINARY 5

/** There is no such field, or no further one. */
#define SMTP_NO_FIELD 1

/** Nothing: it does not apply, or is not known. */
#define SMTP_VALUE_NONE 0

/** Yes or no: 1 or 0. */
#define SMTP_VALUE_FLAG 1

/** A code, or a count. */
#define SMTP_VALUE_NUMBER 2

/** A text. */
#define SMTP_VALUE_TEXT 3

/** Values of one form, one after the other. */
#define SMTP_VALUE_LIST 4

/** Values with names. */
#define SMTP_VALUE_RECORD 5

/** For smtp_mailer_count(): messages that were taken. */
#define SMTP_COUNT_SUBMITTED 1

/** Messages that are decided: the sum of the next four. */
#define SMTP_COUNT_DECIDED 2

/** Messages that a server has, for at least one recipient. */
#define SMTP_COUNT_ACCEPTED 3

/** Messages that a server refused. */
#define SMTP_COUNT_REJECTED 4

/** Messages that no server has; sending them again is safe. */
#define SMTP_COUNT_NOT_SENT 5

/** Messages that a server may have, for at least one recipient. */
#define SMTP_COUNT_UNKNOWN 6

/** Messages that are not given to a connection now. */
#define SMTP_COUNT_WAITING 7

/** Connections that are open now, or being opened. */
#define SMTP_COUNT_CONNECTIONS 8

/** Connections that were ever opened. */
#define SMTP_COUNT_OPENED 9

/** For smtp_mailer_server_count(): messages that the server has, for at least one recipient. */
#define SMTP_SERVER_COUNT_ACCEPTED 1

/** Messages that it refused, and that were not tried again. */
#define SMTP_SERVER_COUNT_REJECTED 2

/** Messages that it may have, for at least one recipient. */
#define SMTP_SERVER_COUNT_UNKNOWN 3

/** Tries there after which the message was tried again, at this server or at another one. */
#define SMTP_SERVER_COUNT_RETRIED 4

/** Messages that were given to its connections and are not decided yet. */
#define SMTP_SERVER_COUNT_UNDER_WAY 5

/** Connections that are open now, or being opened. */
#define SMTP_SERVER_COUNT_CONNECTIONS 6

/** Connections that were ever opened. */
#define SMTP_SERVER_COUNT_OPENED 7

/** A mechanism has no initial response: the server begins. */
#define SMTP_LOGIN_SERVER_FIRST (-3)

/**
 * From smtp_engine_action(), for programs that have the socket: close the old connection, if there is one, and
 * connect to smtp_engine_host(), smtp_engine_port(); then call smtp_engine_connected() or
 * smtp_engine_connect_failed().
 */
#define SMTP_DIAL 1

/**
 * Move octets: write what smtp_engine_output() gives, hand what can be read to smtp_engine_input(). From
 * smtp_engine_ready(): go on watching.
 */
#define SMTP_EXCHANGE 2

/** Close the connection, if it is yours, and take the result. */
#define SMTP_DONE 3

/** For smtp_engine_interest() and smtp_engine_ready(): the descriptor can be read. */
#define SMTP_READ 1

/** The descriptor can be written to. */
#define SMTP_WRITE 2

/**
 * The mailboxes of an RFC 5322 address list. It does not change; several threads can read it. Its strings
 * live as long as it does, and are empty if there is nothing, NULL is addresses or an index is out of
 * range.
 */
typedef struct smtp_addresses smtp_addresses;

/**
 * Ends calls from another thread or a signal handler. Attach it with smtp_options_set_cancel(); it may be
 * attached to many options, and be freed before them.
 */
typedef struct smtp_cancel smtp_cancel;

/**
 * One smtp_sendmessage(), or a session, for an event loop. Nothing blocks, and TLS is done in here. There are two ways to
 * drive it, and the first call that belongs to one way selects it; calls of the other one then return SMTP_ERR_USAGE.
 *
 * The library has the socket: it resolves, connects (also through a proxy) and moves the octets, and the program
 * watches. Call smtp_engine_ready() when smtp_engine_fd() is ready for smtp_engine_interest(), or the time of
 * smtp_engine_timeout() is over, until it gives SMTP_DONE. The time is 0 until the first call, and whenever something
 * was asked or ended since the last one, so that no order of calls can leave the loop asleep.
 *
 * The program has the socket: it does what smtp_engine_action() says, by the functions from smtp_engine_host()
 * on. Ask smtp_engine_action() after every other call: each may change it, and until it is asked the time of
 * smtp_engine_timeout() is 0. Options localaddress and family are your business; with option proxy the engine has you connect
 * to the proxy, and speaks with it first.
 *
 * Options timeout, connecttimeout, deadline and a cancel work by smtp_engine_timeout().
 */
typedef struct smtp_engine smtp_engine;

/** One login by a mechanism of the program's own. Its function is given one, for as long as it runs. */
typedef struct smtp_login smtp_login;

/**
 * Sends many messages over many connections: a queue with a bound, a pool of connections to each server, and one
 * result for each message. Several threads may use a mailer at once. It has a thread of its own, in which the
 * functions run that its options and messages know: they hold up everything while they do not return, and cannot
 * wait for it.
 *
 * After fork() it stays the parent's: in the child smtp_mailer_submit() gives SMTP_ERR_USAGE, nothing waits, and
 * closing and freeing do nothing.
 *
 * A message goes to the first server that is reachable. One that is certainly not sent is tried again on another
 * connection or server, at most as often as option retries says; one that may have arrived never is. The options
 * connections, connectionmessages, rate, queuesize, retries, backoff, retrytime and idletime are for mailers;
 * sends and sessions refuse them.
 */
typedef struct smtp_mailer smtp_mailer;

/**
 * A message, or a part of one. Sending does not change it: it can be sent again, by several threads at once
 * (if its octets come from a reader, by one after the other).
 */
typedef struct smtp_message smtp_message;

/**
 * How to send. Sending does not change options: they can be used again, and by several threads at once; the
 * transcript, policy, token and mechanism functions are then called on each of these threads.
 */
typedef struct smtp_options smtp_options;

/**
 * Messages of which the server has everything but the end, or may get it with the end. The function of option commit is given
 * one, for as long as it runs.
 */
typedef struct smtp_ready smtp_ready;

/**
 * What became of a message: for each recipient, and at each server that was tried. It does not change;
 * several threads can read it. Its strings live as long as it does; if there is nothing, NULL is
 * result or an index is out of range they are empty, and numbers are 0, unless said otherwise.
 */
typedef struct smtp_result smtp_result;

/**
 * One open connection. Verbs return the server's reply code, whatever it says, or a negative code if
 * there was no reply: SMTP_ERR_USAGE (an argument that cannot stand in a command, or a session of the parent process
 * after fork()), SMTP_ERR_TIMEOUT,
 * SMTP_ERR_CLOSED, SMTP_ERR_PROTOCOL, SMTP_ERR_CANCELLED; smtp_session_error() tells more.
 */
typedef struct smtp_session smtp_session;

/** One message that is being signed. The signer's function is given one, for as long as it runs. */
typedef struct smtp_signing smtp_signing;

/**
 * What TLS needs, read and checked once: authorities, client certificate, pins, versions. Any number of options may
 * share it, and threads may use those at the same time; the sessions that servers gave are shared as well. A file
 * that is written or replaced is read again by the next connection.
 */
typedef struct smtp_tls smtp_tls;

/** A value of a result, which lives as long as the result. docs/report.md lists the names. */
typedef struct smtp_value smtp_value;

/**
 * Gives a message piece by piece: writes up to size octets to buffer and returns how many; 0 at the
 * end; -1 if reading failed: the message is then abandoned, and never completed at the server.
 * SMTP_READ_AGAIN: nothing now, for event loops (smtp_engine_waits_for_reader()); a blocking call
 * fails on it. Any other number is a failure. It is called on the thread that sends.
 */
typedef int64_t (*smtp_read_fn)(void *user_data, void *buffer, size_t size);

/** Goes back to the first octet: 0, or anything else if that failed. */
typedef int (*smtp_rewind_fn)(void *user_data);

/**
 * Called exactly once, when user_data is no longer used: when the last message or options that refer to
 * it are freed or changed, or at once if the call that was given it failed. It must not touch the
 * handle that is being freed.
 */
typedef void (*smtp_release_fn)(void *user_data);

/** Takes the next octets of a message: 0, or anything else to stop. */
typedef int (*smtp_write_fn)(void *user_data, const void *data, size_t size);

/**
 * Called when TLS cannot be set up, with the server's reply code or 0, and the reason. Returns SMTP_SECURE (close
 * the connection; the next server is tried) or SMTP_INSECURE (go on in plain text). Any other number is
 * SMTP_SECURE. diagnostic lives during the call.
 */
typedef int (*smtp_tlspolicy_fn)(void *user_data, int code, const char *diagnostic);

/**
 * Gives an OAuth 2.0 access token: writes up to size octets to buffer, without a NUL and without Bearer, and returns how
 * many. reason is SMTP_TOKEN_FIRST or SMTP_TOKEN_REFUSED. -1: there is none, and buffer has why, as a string; it is empty at
 * first. SMTP_READ_AGAIN: none yet, for event loops, where the next smtp_engine_ready() or smtp_engine_output() asks again; elsewhere
 * it is a failure, as is any other number. It may block. A mailer calls it on a thread of its own, for several connections
 * on several; everything else on the thread that sends.
 */
typedef int64_t (*smtp_oauthtoken_fn)(void *user_data, int reason, char *buffer, size_t size);

/**
 * Connects to host and port, the server's or the proxy's, within timeout milliseconds, and gives the descriptor of a connected
 * stream socket, which is the library's from then on. -1: there is none, and why, of size octets and empty at first, has why as
 * a string. It keeps that time itself: nothing ends it, neither option connecttimeout nor deadline. It may block: it is called on the thread that sends if that one blocks, too, and on one of its own for event loops and
 * mailers, on several at once. host lives during the call.
 */
typedef int (*smtp_dial_fn)(void *user_data,
                            const char *host,
                            int port,
                            int64_t timeout,
                            char *why,
                            size_t size);

/**
 * Receives every line of the dialogue, without its line end and with secrets masked, as it is written or was
 * read. direction is SMTP_CLIENT, SMTP_SERVER or SMTP_NOTE. line lives during the call.
 */
typedef void (*smtp_transcript_fn)(void *user_data, int direction, const char *line);

/**
 * Receives the progress of a message that is being sent: octets of total, as this server gets it; total is -1 if it is not
 * known. number is its position in a batch, from 0, the number of its ticket in a mailer, else 0; tag is its option "tag", or NULL,
 * and lives during the call. That all octets have been handed over does not mean that the server has accepted the message.
 */
typedef void (*smtp_progress_fn)(void *user_data,
                                 uint64_t number,
                                 const char *tag,
                                 uint64_t octets,
                                 int64_t total);

/**
 * Called before the end of each message is handed to the kernel, with all messages that are ready at the same time. Returns 0 if
 * they may go out, and any other number if not; after smtp_ready_fail() they may not, whatever it returns. They are then
 * withdrawn, and certainly not sent (SMTP_ERR_COMMIT). SMTP_COMMIT_AGAIN: it is not known yet, for engines (smtp_engine_waits_for_commit()) and mailers
 * (smtp_mailer_wake()), which ask again with the same messages; a blocking call fails on it. ready lives during the call.
 * It is called on the thread that sends.
 */
typedef int (*smtp_commit_fn)(void *user_data, smtp_ready *ready);

/**
 * Gives the next message of a batch: 1 with *message set, and *options if they are not those of the session;
 * 0 when there are no more; a negative code to stop here. What was taken before is sent all the same. Both
 * handles may be freed or changed as soon as the function is called again.
 */
typedef int (*smtp_next_fn)(void *user_data,
                            const smtp_message **message,
                            const smtp_options **options);

/**
 * Receives what became of each message, in order, with its number from 0 on: the status as of
 * smtp_result_status(). result lives during the call; it must not be freed.
 */
typedef void (*smtp_sent_fn)(void *user_data, uint64_t number, int status, const smtp_result *result);

/**
 * Says what comes next in a login: writes up to size octets to response, before base64, and returns how many; 0 is an empty
 * response. It is asked at first, when there is no smtp_login_data(login, "challenge", ...), and then for each challenge of the server,
 * which must not be trusted. SMTP_LOGIN_SERVER_FIRST: no initial response. -1: the login cannot go on, and response, which is
 * empty at first, has why as a string without secrets. SMTP_READ_AGAIN: nothing yet, for event loops, which ask again with the next
 * smtp_engine_ready() or smtp_engine_output(); elsewhere it is a failure, as is any other number. With its last response it calls
 * smtp_login_done(). It may block: a mailer calls it on threads of its own, everything else on the thread that sends.
 * login lives during the call.
 */
typedef int64_t (*smtp_mechanism_fn)(void *user_data, smtp_login *login, void *response, size_t size);

/**
 * Signs a message. It is given the message as this server gets it, from the first octet of the header section to the last of the body, with
 * CRLF at the end of every line and no dot stuffed, piece by piece: octets and how many (size). After the last piece octets is NULL,
 * and it adds header fields by smtp_signing_add(). It returns 0. Any other number, or anything after smtp_signing_fail(): the message
 * cannot be signed, and is not sent (SMTP_ERR_SOURCE). It is called on the thread that sends, before MAIL, once more for a server that needs
 * another form, and by a mailer for several messages on several threads. signing and octets live during the call.
 */
typedef int (*smtp_signer_fn)(void *user_data,
                              smtp_signing *signing,
                              const void *octets,
                              size_t size);

/**
 * The version of the library that runs, "0.1.0"; SMTP_VERSION is the one of the header. Lives until the program ends.
 */
const char *smtp_library_version(void);

/**
 * The version of the library that runs as a number that grows: 0x000100 is 0.1.0; see
 * SMTP_VERSION_NUMBER.
 */
uint32_t smtp_library_version_number(void);

/**
 * One lower-case word for a code, the same in every language: "ok", "usage", "recipients". Empty for
 * a number that is not a code. Lives until the program ends.
 */
const char *smtp_code_name(int code);

/**
 * A sentence for a code. What went wrong in a certain case is in smtp_result_error(),
 * smtp_session_error(), smtp_message_error() or smtp_options_error(). Lives until the program ends.
 */
const char *smtp_code_text(int code);

/**
 * The word for an outcome: "accepted", "rejected", "not_sent", "unknown". Empty for a number that
 * is not an outcome. Lives until the program ends.
 */
const char *smtp_outcome_name(int outcome);

/** How many messages are ready. */
size_t smtp_ready_count(const smtp_ready *ready);

/**
 * The Message-ID of the message with that index, from 0, with its angle brackets; empty past the last, and for one that is
 * sent by smtp_session_data().
 */
const char *smtp_ready_message_id(const smtp_ready *ready,
                                  size_t index);

/** Option tag of that message; empty if it has none. */
const char *smtp_ready_tag(const smtp_ready *ready, size_t index);

/** The server that is to get that message, as results name it. */
const char *smtp_ready_server(const smtp_ready *ready, size_t index);

/**
 * Which message that is: its number in smtp_session_send_many(), that of smtp_mailer_submit(), the ticket of
 * smtp_engine_ask_sendmessage(); else 0.
 */
uint64_t smtp_ready_number(const smtp_ready *ready,
                           size_t index);

/** How often that message has been ready, this time included: 2 if its first try came to nothing. */
uint64_t smtp_ready_attempt(const smtp_ready *ready, size_t index);

/**
 * How many recipients of that message the server has accepted so far. With option pipelining full that may be 0, because
 * the replies are not waited for.
 */
size_t smtp_ready_recipients(const smtp_ready *ready,
                             size_t index);

/** The address of one of them, from 0; empty past the last. */
const char *smtp_ready_recipient(const smtp_ready *ready, size_t index, size_t recipient);

/**
 * Says in a few words why the messages must not go out, whatever the function of option commit returns then. Gives SMTP_ERR_COMMIT, also
 * if why is not UTF-8: return smtp_ready_fail(ready, "the disk is full");.
 */
int smtp_ready_fail(smtp_ready *ready,
                    const char *why);

/**
 * A cancel that is not triggered. Free it with smtp_cancel_free(). NULL only if the library failed.
 */
smtp_cancel *smtp_cancel_new(void);

/**
 * Ends every call whose options have this, within 200 ms; it returns SMTP_ERR_CANCELLED, or
 * SMTP_ERR_UNKNOWN if the message may have arrived. From any thread, and from a signal handler. NULL is
 * fine. Calls that begin later end at once, until smtp_cancel_reset().
 */
void smtp_cancel_trigger(smtp_cancel *cancel);

/** Makes it usable again. From any thread. NULL is fine. */
void smtp_cancel_reset(smtp_cancel *cancel);

/** Frees it; options that have it keep their share. NULL is fine. */
void smtp_cancel_free(smtp_cancel *cancel);

/**
 * A new message: an empty text/plain in UTF-8. Free it with smtp_message_free(). NULL only if the
 * library failed.
 */
smtp_message *smtp_message_new(void);

/**
 * A copy, to be freed like the original. It shares the octets of bodies and the readers, which costs nothing.
 * NULL if message is NULL or in use.
 */
smtp_message *smtp_message_copy(const smtp_message *message);

/** Frees a message. NULL is fine. Sends that run and copies keep what they need. */
void smtp_message_free(smtp_message *message);

/**
 * The reason for the last failure of a call on message: one line, empty if no call has failed. Lives until the next call
 * that takes message without const.
 */
const char *smtp_message_error(const smtp_message *message);

/**
 * Makes message a text/plain in UTF-8; lines may end in LF or CRLF. Header fields that were set with
 * smtp_message_set_header() or smtp_message_add_header() stay, here and with the other functions that set
 * the content, except for those of a finished message, which go with it. text is copied.
 * SMTP_OK; SMTP_ERR_USAGE: not UTF-8.
 */
int smtp_message_set_text(smtp_message *message,
                          const char *text,
                          size_t length);

/**
 * Makes message a text/html in UTF-8. For text and HTML both: smtp_message_set_text(), then
 * smtp_message_add_html(). html is copied. SMTP_OK; SMTP_ERR_USAGE: not UTF-8.
 */
int smtp_message_set_html(smtp_message *message, const char *html, size_t length);

/**
 * Makes message a finished message: header section, empty line, body. It is sent octet by octet, except for
 * line ends, Bcc and its like, and the fields that are added in front if they are missing: Date, Message-ID,
 * From, and To: undisclosed-recipients:; for a message without To and Cc. Only an empty line ends the header
 * section; a send refuses any other line that is not a field with SMTP_ERR_USAGE. In front of the first field the
 * From  line of an mbox, a UTF-8 byte order mark and empty lines are skipped. If the first paragraph has no field
 * all is body. data is copied. SMTP_OK.
 */
int smtp_message_set_message(smtp_message *message,
                             const void *data,
                             size_t length);

/**
 * As smtp_message_set_message(), from a file, which is opened when it is sent and must not change until
 * then. SMTP_OK even if the file does not exist: the send fails then, with SMTP_ERR_SOURCE.
 */
int smtp_message_set_message_file(smtp_message *message,
                                  const char *path);

/**
 * As smtp_message_set_message(), from a function that gives it piece by piece; memory use does not grow
 * with it. rewind may be NULL: the message then serves one send. release may be NULL; it is called once
 * when user_data is not needed any more, even if this call fails. length is the number of octets, or
 * -1; if it is given it is declared to the server, and giving fewer or more abandons the message.
 * SMTP_OK; SMTP_ERR_USAGE: a negative length. If the reader does something wrong, the send fails with
 * SMTP_ERR_SOURCE.
 */
int smtp_message_set_message_reader(smtp_message *message,
                                    smtp_read_fn read,
                                    smtp_rewind_fn rewind,
                                    void *user_data,
                                    smtp_release_fn release,
                                    int64_t length);

/**
 * Makes message a part of any type, "application/pdf" or "text/csv; charset=iso-8859-1", with an empty body; give it one with
 * smtp_message_set_body(). SMTP_OK; SMTP_ERR_USAGE: not of the form type/subtype, or a type that is
 * made of other parts.
 */
int smtp_message_set_part(smtp_message *message,
                          const char *content_type);

/**
 * Sets the body, which is copied. SMTP_OK; SMTP_ERR_USAGE: message is finished, or made of parts.
 */
int smtp_message_set_body(smtp_message *message,
                          const void *data,
                          size_t length);

/**
 * Sets the body to a file, which is opened when it is sent. Otherwise like smtp_message_set_body(); if there
 * is no such file the send tells, with SMTP_ERR_SOURCE.
 */
int smtp_message_set_body_file(smtp_message *message,
                               const char *path);

/**
 * Sets the body to what a function gives piece by piece, as smtp_message_set_message_reader() does. It is
 * sent as base64, or quoted-printable if it is text, unless smtp_message_set_encoding() promises more.
 * SMTP_OK; SMTP_ERR_USAGE: a negative length, or message is finished or made of parts.
 */
int smtp_message_set_body_reader(smtp_message *message,
                                 smtp_read_fn read,
                                 smtp_rewind_fn rewind,
                                 void *user_data,
                                 smtp_release_fn release,
                                 int64_t length);

/**
 * Sets a parameter of the content type, "charset" or "name", to any text without control characters.
 * SMTP_OK; SMTP_ERR_USAGE: an invalid name or value, or message is finished.
 */
int smtp_message_set_parameter(smtp_message *message,
                               const char *name,
                               const char *value);

/**
 * Sets how the body is encoded: one of the SMTP_ENCODING_ numbers. All but base64 and quoted-printable are
 * wishes: if the content or the server does not allow them, they are as SMTP_ENCODING_AUTO.
 * SMTP_OK; SMTP_ERR_USAGE: no such number, or message is finished or made of parts.
 */
int smtp_message_set_encoding(smtp_message *message,
                              int encoding);

/**
 * Makes message a multipart without parts yet: "mixed", "alternative", "related", "digest"; add
 * them with smtp_message_add_part(). At least one is needed to send it. SMTP_OK; SMTP_ERR_USAGE: an
 * invalid subtype.
 */
int smtp_message_set_multipart(smtp_message *message,
                               const char *subtype);

/**
 * Adds a part after the others. What is not a multipart yet becomes the first part of a multipart/mixed.
 * part is copied, may be a finished message, and stays yours. SMTP_OK; SMTP_ERR_USAGE: message is
 * finished, or there would be more than 100 parts within each other.
 */
int smtp_message_add_part(smtp_message *message,
                          const smtp_message *part);

/**
 * Makes message a message/rfc822: a message within a message. inner is copied, and stays yours.
 * SMTP_OK; SMTP_ERR_USAGE: there would be more than 100 parts within each other.
 */
int smtp_message_set_rfc822(smtp_message *message,
                            const smtp_message *inner);

/**
 * Adds the same content as HTML, in UTF-8: a text becomes a multipart/alternative. html is copied.
 * SMTP_OK; SMTP_ERR_USAGE: there is no text that it could be an alternative to, or it is not UTF-8.
 */
int smtp_message_add_html(smtp_message *message,
                          const char *html);

/**
 * Adds an invitation, its change or its answer (RFC 6047): an iCalendar object with a METHOD, in UTF-8, as the last alternative of
 * the text and as the attachment invite.ics. icalendar is copied. SMTP_OK; SMTP_ERR_USAGE: it is not a VCALENDAR with a
 * METHOD, there is neither text nor HTML, there is a calendar already, or message is finished.
 */
int smtp_message_add_calendar(smtp_message *message,
                              const char *icalendar);

/**
 * Says how a recipient leaves the list with one click (RFC 8058): List-Unsubscribe and List-Unsubscribe-Post, in place of those that
 * are there. https is a URL that names list and recipient by itself; mailto, an address with or without ?subject=..., may be NULL. Sign
 * the message (option dkim), or receivers ignore it. SMTP_OK; SMTP_ERR_USAGE: not an https URL, not an address.
 */
int smtp_message_set_unsubscribe(smtp_message *message,
                                 const char *https,
                                 const char *mailto);

/**
 * Attaches a file with its name and the content type that its extension stands for. It is opened when it is
 * sent; if there is no such file, the send fails with SMTP_ERR_SOURCE. SMTP_OK; SMTP_ERR_USAGE: a path
 * without a file name, or message is finished.
 */
int smtp_message_attach_file(smtp_message *message,
                             const char *path);

/**
 * Attaches octets, which are copied, under a file name. content_type NULL: the one that the extension of
 * the name stands for. SMTP_OK; SMTP_ERR_USAGE: a name with control characters, a content type that is
 * none, or message is finished.
 */
int smtp_message_attach(smtp_message *message,
                        const char *name,
                        const char *content_type,
                        const void *data,
                        size_t length);

/**
 * Adds a file that the HTML shows as <img src="cid:ID">. cid is the ID ("logo@example.org"), or NULL
 * for a new one. cid_out, which may be NULL, gets the ID; it lives until the next call on message.
 * SMTP_OK; SMTP_ERR_USAGE: there is no HTML, cid is not a Content-ID, or as for smtp_message_attach_file().
 */
int smtp_message_inline_file(smtp_message *message,
                             const char *path,
                             const char *cid,
                             const char **cid_out);

/**
 * As smtp_message_inline_file(), with octets, which are copied, under a file name; content_type as for
 * smtp_message_attach().
 */
int smtp_message_inline(smtp_message *message,
                        const char *name,
                        const char *content_type,
                        const void *data,
                        size_t length,
                        const char *cid,
                        const char **cid_out);

/**
 * Sets a header field, in place of all others of that name. value is text in one line; what is not ASCII
 * is encoded, in an address field only the display names. SMTP_OK; SMTP_ERR_USAGE: an invalid name or
 * value, or a field that follows from the content (Content-Type, MIME-Version, ...).
 */
int smtp_message_set_header(smtp_message *message,
                            const char *name,
                            const char *value);

/**
 * Adds a header field after the others; there may already be some of the same name. Otherwise like
 * smtp_message_set_header().
 */
int smtp_message_add_header(smtp_message *message, const char *name, const char *value);

/**
 * Removes all header fields of that name, if there are any. SMTP_OK; SMTP_ERR_USAGE: an invalid name,
 * or a field that follows from the content.
 */
int smtp_message_delete_header(smtp_message *message,
                               const char *name);

/**
 * The field of that name, in any case, with that index, from 0: unfolded, and not decoded. *value lives
 * until the next call on message, and is NULL if there is none. SMTP_OK; SMTP_NO_FIELD: there is
 * none; SMTP_ERR_SOURCE: the file or reader of a finished message cannot be read; SMTP_ERR_USAGE: its
 * header section has a line that is not a field.
 */
int smtp_message_header(smtp_message *message,
                        const char *name,
                        size_t index,
                        const char **value);

/**
 * The name of a header field, each once, in their order, with that index, from 0. Otherwise like
 * smtp_message_header().
 */
int smtp_message_header_name(smtp_message *message, size_t index, const char **name);

/**
 * The octets that smtp_message_write() would write, in *size; -1 if only reading it would tell.
 * SMTP_OK; SMTP_ERR_USAGE: the message cannot be sent as it is (a multipart without parts, a NUL in a
 * finished message); SMTP_ERR_SOURCE: a file or reader cannot be read.
 */
int smtp_message_size(smtp_message *message,
                      int64_t *size);

/**
 * Writes the message as it would go to a server with 8BITMIME, Bcc and all, with CRLF at the end of every
 * line. write is called as often as needed. As smtp_message_size(); also SMTP_ERR_SOURCE: write
 * stopped it.
 */
int smtp_message_write(smtp_message *message,
                       smtp_write_fn write,
                       void *user_data);

/**
 * As smtp_message_write(), to a new file, or in place of what is in the file. After a failure the file is
 * not whole.
 */
int smtp_message_write_file(smtp_message *message,
                            const char *path);

/**
 * New options: send through localhost, port 25. Free them with smtp_options_free(). NULL only if the
 * library failed.
 */
smtp_options *smtp_options_new(void);

/**
 * A copy, to be freed like the original; functions and their user_data are shared. NULL if options
 * is NULL or in use.
 */
smtp_options *smtp_options_copy(const smtp_options *options);

/** Frees options. NULL is fine. Sends that run, sessions and copies keep what they need. */
void smtp_options_free(smtp_options *options);

/**
 * Sets an option by its name; the top of libsmtp.h, and libsmtp(3), list them. Lists are separated by spaces or
 * commas, truth values are "1" and "0", times are seconds, "header" takes "Name: value" and adds one. An empty value
 * takes an option back to its default; the empty "originator" is the null reverse-path, the empty
 * "password" is one if there is a "username", and empty "recipients" are nobody.
 * SMTP_OK; SMTP_ERR_USAGE: no such option (the text names the nearest), or a value that is not of the option's form. What it names
 * (servers, addresses, mechanisms, files) is looked at when something is sent, before a byte goes out.
 */
int smtp_options_set(smtp_options *options,
                     const char *name,
                     const char *value);

/**
 * Adds a server after the others: a host, host:port, smtp://, smtps://, submission:// or lmtp://
 * with a host, unix:/path, sendmail:/path, file:/folder or null:. They are tried in order. port 0 is the default: 25, 465 for smtps://,
 * 587 for submission://, 24 for lmtp://. SMTP_OK; SMTP_ERR_USAGE: a port above 65535. A wrong server is reported by
 * the send.
 */
int smtp_options_add_server(smtp_options *options,
                            const char *server,
                            int port);

/**
 * Sets the originator: one mailbox, or "" for the null reverse-path <>. Default: From of the message.
 * SMTP_OK; SMTP_ERR_USAGE: a line end in it. A wrong mailbox is reported by the send.
 */
int smtp_options_set_originator(smtp_options *options,
                                const char *originator);

/**
 * Sets the recipients: an address list, "Ann <ann@a.example>, bo@b.example". Default: To, Cc and Bcc
 * of the message, which are not looked at if this is set. SMTP_OK; SMTP_ERR_USAGE: a line end in it, except for one that
 * folds the list, before a space or tab. A wrong address list is reported by the send.
 */
int smtp_options_set_recipients(smtp_options *options,
                                const char *recipients);

/**
 * Adds a recipient, or a list of them, after those already there. Otherwise like smtp_options_set_recipients().
 */
int smtp_options_add_recipient(smtp_options *options,
                               const char *recipient);

/**
 * Adds one recipient, a mailbox, after those already there, with what the server is asked for it (RFC 3461): notify says
 * when it sends delivery status notifications, "never" or any of "success,failure,delay", and NULL or "" as option
 * dsnnotify has it; orcpt is the original recipient, "rfc822;user@example.org", not encoded, and NULL or "" none. If a
 * server does not offer DSN, the send fails with SMTP_ERR_UNSUPPORTED. SMTP_OK; SMTP_ERR_USAGE: a line end, or what
 * RFC 3461 does not allow. A wrong mailbox is reported by the send.
 */
int smtp_options_add_recipient_dsn(smtp_options *options,
                                   const char *recipient,
                                   const char *notify,
                                   const char *orcpt);

/**
 * Adds a header field to each message that is sent with these options; the same name may occur again. A
 * field of the message that has the same name stays. SMTP_OK; an invalid name or value is reported by the
 * send.
 */
int smtp_options_add_header(smtp_options *options,
                            const char *name,
                            const char *value);

/**
 * Sets user and password to log in with. They go over TLS with a verified certificate only, unless the
 * server is this machine or an option says otherwise. SMTP_OK.
 */
int smtp_options_set_login(smtp_options *options,
                           const char *user,
                           const char *password);

/**
 * Sets the function that decides when TLS cannot be set up; NULL: the default, to go on in plain text while
 * TLS is not required and no secret is to be sent. release may be NULL; it is called once when user_data
 * is not needed any more, even if this call fails. SMTP_OK.
 */
int smtp_options_set_tlspolicy(smtp_options *options,
                               smtp_tlspolicy_fn policy,
                               void *user_data,
                               smtp_release_fn release);

/**
 * Sets the function that gives the access token for XOAUTH2 and OAUTHBEARER; NULL: none. It is called whenever a connection
 * logs in so, and once more if the server refuses the token. release as for smtp_options_set_tlspolicy(). SMTP_OK. The option
 * "oauthtoken" sets a token that does not change.
 */
int smtp_options_set_oauthtoken(smtp_options *options,
                                smtp_oauthtoken_fn token,
                                void *user_data,
                                smtp_release_fn release);

/**
 * Sets the function that connects in the library's place; NULL: none. Unix sockets do not go through it. Since nobody knows what is in
 * between, a server that is reached so never counts as this machine. An engine whose octets the program moves does not call it. release
 * as for smtp_options_set_tlspolicy(). SMTP_OK.
 */
int smtp_options_set_dialler(smtp_options *options,
                             smtp_dial_fn dial,
                             void *user_data,
                             smtp_release_fn release);

/**
 * Sets the function that is given every line of the dialogue; NULL: none. release as for
 * smtp_options_set_tlspolicy(). SMTP_OK. The option "debug" prints the same on standard error.
 */
int smtp_options_set_transcript(smtp_options *options,
                                smtp_transcript_fn transcript,
                                void *user_data,
                                smtp_release_fn release);

/**
 * Sets the function that receives the progress of each message; NULL: none. It belongs to the session, mailer or engine that is made with
 * the options, and is called on the thread that sends, a mailer's own. release as for smtp_options_set_tlspolicy(). SMTP_OK.
 */
int smtp_options_set_progress(smtp_options *options,
                              smtp_progress_fn progress,
                              void *user_data,
                              smtp_release_fn release);

/**
 * Sets the function that is called before the end of each message leaves (docs/commit.md); NULL: none. It belongs to the session,
 * mailer or engine that is made with the options; messages of it may have these or options without such a function. release
 * as for smtp_options_set_tlspolicy(). SMTP_OK.
 */
int smtp_options_set_commit(smtp_options *options,
                            smtp_commit_fn commit,
                            void *user_data,
                            smtp_release_fn release);

/** Attaches a cancel, which is shared and may be freed before the options; NULL: none. SMTP_OK. */
int smtp_options_set_cancel(smtp_options *options, const smtp_cancel *cancel);

/**
 * The reason for the last failure of a call on options: one line, empty if no call has failed. Lives until the next call
 * that changes options.
 */
const char *smtp_options_error(const smtp_options *options);

/** The name of the option with that index, from 0; NULL past the last. Lives until the program ends. */
const char *smtp_option_name(size_t index);

/**
 * What the value of the option with that index is, in one word: "flag", "text", "word", "words", "integer",
 * "number", "seconds", "file", "secret", "certificates", "ip", "servers", "ports", "mailbox", "addresses",
 * "recipient", "header", "signature". NULL past the last. Lives until the program ends.
 */
const char *smtp_option_kind(size_t index);

/**
 * The words that the option with that index can be set to, separated by spaces; empty if its value is not one word of a
 * list. NULL past the last. Lives until the program ends.
 */
const char *smtp_option_words(size_t index);

/**
 * What the option with that index does: a paragraph of Markdown, in UTF-8. NULL past the last. Lives until the program ends.
 */
const char *smtp_option_help(size_t index);

/**
 * TLS as the options "tls..." of options say that it is; what else they say does not matter, and they can be
 * freed. Every file is read now. Free it with smtp_tls_free(); options that have it keep their share. NULL if
 * something is wrong, and smtp_options_error() says what, or if options is NULL or in use.
 */
smtp_tls *smtp_tls_new(smtp_options *options);

/** Frees it. NULL is fine. */
void smtp_tls_free(smtp_tls *tls);

/**
 * 1 if a file was written or replaced since it was read, else 0. The next connection reads it anyway: this is for
 * who wants to close the ones that are open. SMTP_ERR_NULL if tls is NULL.
 */
int smtp_tls_changed(const smtp_tls *tls);

/**
 * Has options use TLS that was set up before; NULL: their own options again. SMTP_OK. The options that set TLS
 * up must not be set then, or the send fails with SMTP_ERR_USAGE: "tlsverify", "tlstrust", "tlscafile", "tlsca",
 * "tlscertfile", "tlskeyfile", "tlskeypassword", "tlsfingerprint", "tlsminversion", "tlsmaxversion",
 * "tlsciphers", "tlskeylog" and "tlsservername".
 */
int smtp_options_set_tls(smtp_options *options,
                         const smtp_tls *tls);

/**
 * Sends a message: checks everything that can be checked, connects to the first server that answers, and
 * reports. options NULL: through localhost, port 25. result, which may be NULL, gets the result, also
 * after a failure; free it with smtp_result_free(). It is NULL only with SMTP_ERR_NULL,
 * SMTP_ERR_BUSY and SMTP_ERR_PANIC. message and options do not change, and may be in use by other
 * threads that send. It blocks; smtp_cancel_trigger() and the options timeout and deadline end it.
 *
 * SMTP_OK: the server took it for every recipient. SMTP_PARTIAL: for some.
 * SMTP_ERR_RECIPIENTS: recipients were refused, nothing was sent. SMTP_ERR_UNKNOWN: it may have been
 * delivered; sending it again may deliver it twice. With any other negative code no server has it:
 * SMTP_ERR_USAGE, _RESOLVE, _CONNECT, _TIMEOUT, _CLOSED, _PROTOCOL, _REFUSED, _UNSUPPORTED,
 * _TOOLARGE, _SOURCE, _COMMIT, _TLS, _LOGIN, _CANCELLED.
 */
int smtp_sendmessage(const smtp_message *message,
                     const smtp_options *options,
                     smtp_result **result);

/**
 * Looks whether a message could be sent with these options (NULL: through localhost, port 25): connects to each of the
 * servers, does EHLO, TLS and login, and says QUIT. result, which may be NULL, gets a result without recipients, also after
 * a failure; free it with smtp_result_free(). It has an attempt for each server, and its value
 * attempts.0.offered (see smtp_value_find()) says what the first one offers: its greeting, extensions and
 * mechanisms. It blocks, as smtp_sendmessage() does.
 *
 * SMTP_OK: every server can be used. Else why not: SMTP_ERR_USAGE, _RESOLVE, _CONNECT, _TIMEOUT, _CLOSED, _PROTOCOL,
 * _REFUSED, _UNSUPPORTED, _TLS, _LOGIN, _CANCELLED.
 */
int smtp_verify(const smtp_options *options,
                smtp_result **result);

/** Frees a result and its strings. NULL is fine. */
void smtp_result_free(smtp_result *result);

/**
 * Makes the result of a message that was given up before the library had it: for bindings and queues of your own, whose reports
 * then look like all others. It has no recipients and no attempts. status is the negative code that says why, and becomes
 * SMTP_ERR_USAGE if no result can have it (SMTP_ERR_NULL, _BUSY, _PANIC); text (NULL: that of the code) says it in
 * words. Free the result with smtp_result_free().
 */
int smtp_result_new(int status,
                    const char *text,
                    smtp_result **result);

/**
 * What the function that sent returned: SMTP_OK, SMTP_PARTIAL or a negative code. SMTP_ERR_NULL for
 * NULL.
 */
int smtp_result_status(const smtp_result *result);

/** 1 if the server took the message for at least one recipient, else 0. */
int smtp_result_sent(const smtp_result *result);

/** The server's own name for the message, out of its last reply, if the form of that is known. */
const char *smtp_result_queue_id(const smtp_result *result);

/** The code of the server's reply to the end of the message; with LMTP of the last of them. */
int smtp_result_reply_code(const smtp_result *result);

/** The enhanced status code of that reply, as "2.0.0". */
const char *smtp_result_reply_enhanced(const smtp_result *result);

/** The text of that reply without its codes; lines are separated by \n. */
const char *smtp_result_reply_text(const smtp_result *result);

/** The octets of the message that were given to the connection, as on the wire. */
uint64_t smtp_result_octets(const smtp_result *result);

/** How many extensions were used. */
size_t smtp_result_used_count(const smtp_result *result);

/** The keyword of an extension that was used: "PIPELINING", "SIZE". */
const char *smtp_result_used(const smtp_result *result, size_t index);

/**
 * How many extensions the server offers that are no longer used on its connection, because it mishandled them.
 */
size_t smtp_result_avoided_count(const smtp_result *result);

/**
 * The keyword of one of them: "CHUNKING" or "PIPELINING". A message that met it was sent once more without.
 */
const char *smtp_result_avoided(const smtp_result *result,
                                size_t index);

/** Everything that is known, as JSON in one line. */
const char *smtp_result_json(const smtp_result *result);

/** How many recipients the server refused: the result list. */
size_t smtp_result_refused_count(const smtp_result *result);

/** The address of a refused recipient. */
const char *smtp_result_refused_address(const smtp_result *result, size_t index);

/** The code of the reply that refused it: 4yz for now, 5yz for good. */
int smtp_result_refused_reply_code(const smtp_result *result, size_t index);

/** The enhanced status code of that reply, as "5.1.1". */
const char *smtp_result_refused_reply_enhanced(const smtp_result *result, size_t index);

/** The text of that reply without its codes; lines are separated by \n. */
const char *smtp_result_refused_reply_text(const smtp_result *result, size_t index);

/** How many recipients there are, refused or not; each address counts once. */
size_t smtp_result_recipient_count(const smtp_result *result);

/** The address of a recipient, as in RCPT TO; of one that was redirected, its own. */
const char *smtp_result_recipient_address(const smtp_result *result, size_t index);

/** What stood in RCPT TO in its place (option redirectto); empty if it was not redirected. */
const char *smtp_result_recipient_redirected_to(const smtp_result *result, size_t index);

/**
 * What became of the message for it: SMTP_ACCEPTED, SMTP_REJECTED, SMTP_NOT_SENT or SMTP_UNKNOWN.
 */
int smtp_result_recipient_outcome(const smtp_result *result,
                                  size_t index);

/**
 * The step that decided: "rcpt", "final", or the one that failed, as smtp_result_error_step() has them.
 */
const char *smtp_result_recipient_step(const smtp_result *result,
                                       size_t index);

/** The code of the reply that decided; 0 if there was none. */
int smtp_result_recipient_reply_code(const smtp_result *result, size_t index);

/** The enhanced status code of that reply. */
const char *smtp_result_recipient_reply_enhanced(const smtp_result *result, size_t index);

/** The text of that reply without its codes; lines are separated by \n. */
const char *smtp_result_recipient_reply_text(const smtp_result *result, size_t index);

/**
 * Why the message was not sent, or is not known to be, in one line with server, step and reply. If refused
 * recipients are the reason, it says how many were refused, and the reply to the first that was refused for good, else to the
 * first: "mail.example:25: rcpt: 2 of 3 recipients were refused, and nobody got the message: bo@b.example: 550 5.1.1 No
 * such user". Empty if at least one recipient was accepted and no step failed.
 */
const char *smtp_result_error(const smtp_result *result);

/**
 * The sort of error, in one word: "usage", "connect", "unknown", the smtp_code_name() of its code.
 */
const char *smtp_result_error_kind(const smtp_result *result);

/**
 * The step that failed, in one word: "setup" (before any connection), "connect", "tls", "greeting",
 * "hello", "starttls", "auth", "mail", "rcpt", "data", "body", "commit", "final", "rset", "quit",
 * "command".
 */
const char *smtp_result_error_step(const smtp_result *result);

/** The server at which it happened, "host:port". */
const char *smtp_result_error_server(const smtp_result *result);

/** The code of the reply that failed the step; 0 if it was none. */
int smtp_result_error_reply_code(const smtp_result *result);

/** The enhanced status code of that reply. */
const char *smtp_result_error_reply_enhanced(const smtp_result *result);

/** The text of that reply without its codes; lines are separated by \n. */
const char *smtp_result_error_reply_text(const smtp_result *result);

/**
 * 1 if sending again later can help, else 0. Never for SMTP_ERR_UNKNOWN: that could deliver twice. If
 * recipients were refused, 1 only if each of them was refused for now.
 */
int smtp_result_error_transient(const smtp_result *result);

/** How many connections were tried, in order; the last one is that which the outcome comes from. */
size_t smtp_result_attempt_count(const smtp_result *result);

/** The server, "host:port", as you named it. */
const char *smtp_result_attempt_server(const smtp_result *result, size_t index);

/** The address and port that were connected to; empty for a Unix socket and if none was. */
const char *smtp_result_attempt_peer(const smtp_result *result, size_t index);

/** Why it was left, as smtp_result_error(); empty if it was not. */
const char *smtp_result_attempt_error(const smtp_result *result, size_t index);

/** The same as smtp_result_error_kind(). */
const char *smtp_result_attempt_error_kind(const smtp_result *result, size_t index);

/** The same as smtp_result_error_step(). */
const char *smtp_result_attempt_error_step(const smtp_result *result, size_t index);

/** The same as smtp_result_error_reply_code(). */
int smtp_result_attempt_error_reply_code(const smtp_result *result, size_t index);

/** The same as smtp_result_error_reply_enhanced(). */
const char *smtp_result_attempt_error_reply_enhanced(const smtp_result *result, size_t index);

/** The same as smtp_result_error_transient(). */
int smtp_result_attempt_error_transient(const smtp_result *result, size_t index);

/** 1 if the certificate and the host name verified, 0 if not, -1 if there was no TLS. */
int smtp_result_attempt_tls_verified(const smtp_result *result, size_t index);

/**
 * Why it did not verify, in one word: "expired", "notyetvalid", "wrongname", "unknownissuer",
 * "selfsigned", "revoked", "notpinned", "notchecked", "other".
 */
const char *smtp_result_attempt_tls_why_not(const smtp_result *result,
                                            size_t index);

/** The SHA-256 of the server's certificate, in hex. */
const char *smtp_result_attempt_tls_certificate_sha256(const smtp_result *result, size_t index);

/** The version of TLS, "TLSv1.3", if the TLS library tells. */
const char *smtp_result_attempt_tls_version(const smtp_result *result, size_t index);

/** The cipher suite, if the TLS library tells. */
const char *smtp_result_attempt_tls_cipher(const smtp_result *result, size_t index);

/**
 * 1 if the session of an earlier connection to the same name, with the same options, was resumed: the certificate
 * was looked at then. 0 if not, -1 if there was no TLS.
 */
int smtp_result_attempt_tls_resumed(const smtp_result *result,
                                    size_t index);

/** What the TLS policy answered, if it was asked: "secure" or "insecure". */
const char *smtp_result_attempt_policy(const smtp_result *result, size_t index);

/** How many mechanisms were tried to log in, in order. */
size_t smtp_result_attempt_login_count(const smtp_result *result, size_t index);

/** The name of a mechanism: "SCRAM-SHA-256". */
const char *smtp_result_attempt_login_mechanism(const smtp_result *result,
                                                size_t index,
                                                size_t login);

/** Why it did not log in, in one line; empty if it did. */
const char *smtp_result_attempt_login_error(const smtp_result *result, size_t index, size_t login);

/**
 * All that the result tells, as one record: what smtp_result_json() has, and Python and Tcl. A program that wants a few fields
 * asks with smtp_value_find(); one that wants all of them, as a binding for another language does, walks over it. NULL
 * only for NULL.
 */
const smtp_value *smtp_result_value(const smtp_result *result);

/** What the value is: SMTP_VALUE_TEXT and so on; SMTP_VALUE_NONE for NULL. */
int smtp_value_type(const smtp_value *value);

/** How many values a list or a record has; 0 for anything else. */
size_t smtp_value_count(const smtp_value *value);

/** The value at an index of a list or a record; NULL if there is none. */
const smtp_value *smtp_value_item(const smtp_value *value, size_t index);

/** The name of the value at an index of a record; empty if there is none. */
const char *smtp_value_name(const smtp_value *value, size_t index);

/**
 * The value at a path of names and indices: "queue_id", "attempts.0.tls.version". NULL if there is none.
 */
const smtp_value *smtp_value_find(const smtp_value *value,
                                  const char *path);

/** A text; empty for anything else. */
const char *smtp_value_text(const smtp_value *value);

/** A number, or 1 or 0 for a flag; 0 for anything else. */
uint64_t smtp_value_number(const smtp_value *value);

/**
 * Connects to host, which may be a URL as in smtp_options_add_server(), and reads the greeting. port 0
 * is the default. options NULL: the default ones; they are copied. *out gets the session, and also after
 * a failure a handle, which only tells why by smtp_session_error(): close or free it in either case. It is
 * NULL only with SMTP_ERR_NULL, SMTP_ERR_BUSY and SMTP_ERR_PANIC.
 * SMTP_OK; SMTP_ERR_USAGE, _RESOLVE, _CONNECT, _TIMEOUT, _CLOSED, _PROTOCOL, _REFUSED (a
 * greeting that is not 220), _TLS, _CANCELLED.
 */
int smtp_session_open(const char *host,
                      int port,
                      const smtp_options *options,
                      smtp_session **out);

/**
 * As smtp_session_open(), over a connected stream socket on which nothing was said yet. name is the
 * server's name, for certificates and texts. The descriptor belongs to the session from now on, also after
 * a failure, and is closed with it.
 */
int smtp_session_adopt(int fd,
                       const char *name,
                       const smtp_options *options,
                       smtp_session **out);

/** Says QUIT, closes the connection and frees the session. NULL is fine. */
void smtp_session_close(smtp_session *session);

/** Closes the connection without QUIT and frees the session. NULL is fine. */
void smtp_session_free(smtp_session *session);

/** EHLO. name NULL: that of option client. */
int smtp_session_ehlo(smtp_session *session, const char *name);

/** HELO. name NULL: that of option client. */
int smtp_session_helo(smtp_session *session, const char *name);

/** LHLO; from here on the session speaks LMTP. name NULL: that of option client. */
int smtp_session_lhlo(smtp_session *session, const char *name);

/**
 * MAIL FROM. from is an addr-spec, with or without angle brackets; "" is the null reverse-path.
 * parameters, "SIZE=100 BODY=8BITMIME", go as they are; NULL is none. No EHLO is said by itself.
 */
int smtp_session_mail(smtp_session *session,
                      const char *from,
                      const char *parameters);

/** RCPT TO. As smtp_session_mail(). */
int smtp_session_rcpt(smtp_session *session, const char *to, const char *parameters);

/**
 * DATA and the message, for the recipients that were accepted. Line ends become CRLF, leading dots are
 * doubled, the final dot is added; header fields are not. The reply is the one to the final dot, or to DATA
 * if that was refused; with LMTP there is one for each recipient: see smtp_session_result().
 * Also SMTP_ERR_UNKNOWN: the message was sent whole, and no reply came.
 */
int smtp_session_data(smtp_session *session,
                      const void *data,
                      size_t length);

/**
 * As smtp_session_data(), from a function that gives the message piece by piece, and is not called after
 * this returned. Also SMTP_ERR_SOURCE: read failed; the connection is closed, and the server has no
 * message.
 */
int smtp_session_data_reader(smtp_session *session,
                             smtp_read_fn read,
                             void *user_data);

/** RSET. */
int smtp_session_rset(smtp_session *session);

/** NOOP. */
int smtp_session_noop(smtp_session *session);

/** VRFY: asks whether there is such a user or mailbox. */
int smtp_session_vrfy(smtp_session *session, const char *name);

/** EXPN: asks who is on a mailing list. */
int smtp_session_expn(smtp_session *session, const char *list);

/** HELP. topic may be NULL. */
int smtp_session_help(smtp_session *session, const char *topic);

/** QUIT. The connection is closed then; the session still is to be closed or freed. */
int smtp_session_quit(smtp_session *session);

/**
 * Any other command, in one line without its CRLF. Commands that change the connection or expect more than
 * one reply (STARTTLS, AUTH, DATA, BDAT) have functions of their own.
 */
int smtp_session_command(smtp_session *session,
                         const char *line);

/**
 * STARTTLS and the handshake after it. Certificate and host name are verified unless option tlsverify is
 * off. What the server offered before is forgotten: EHLO is said again when it is needed. Also
 * SMTP_ERR_TLS: TLS could not be set up; the connection is closed.
 */
int smtp_session_starttls(smtp_session *session);

/**
 * Logs in, once a connection. type is a mechanism, SMTP_AUTH_PLAIN; with SMTP_AUTH_DEFAULT (NULL) those
 * that the server offers are tried, strongest first. EHLO is said first if it was not. SMTP_OK, no reply
 * code; SMTP_ERR_LOGIN: no login succeeded; SMTP_ERR_USAGE: there was one already; or as the verbs.
 */
int smtp_session_authenticate(smtp_session *session,
                              const char *user,
                              const char *password,
                              const char *type);

/**
 * Sends content to to, cc and bcc, which are address lists or NULL. It is plain text in UTF-8, or a
 * finished message: one with a MIME-Version field. from, to, cc and subject become its header
 * fields; NULL is none. result and what is returned as for smtp_sendmessage(); the session can be used
 * on while smtp_session_is_open(). A handle that could not be opened gives SMTP_ERR_CLOSED and no result.
 */
int smtp_session_send(smtp_session *session,
                      const char *from,
                      const char *to,
                      const char *cc,
                      const char *bcc,
                      const char *subject,
                      const void *content,
                      size_t length,
                      smtp_result **result);

/**
 * Sends a message with the envelope that the options, or its header section, give. options NULL: those of
 * the session; of others the connection, TLS and login ones are of no effect. result and what is returned
 * as for smtp_session_send().
 */
int smtp_session_sendmessage(smtp_session *session,
                             const smtp_message *message,
                             const smtp_options *options,
                             smtp_result **result);

/**
 * Sends the messages that next gives, one after the other, and tells sent what became of each. If the server
 * offers PIPELINING the end of one message and the envelope of the next go out together: one round trip a message;
 * with option pipelining full and CHUNKING, many messages share one. Up to 64 messages are taken ahead of their
 * results. Both functions are called on this thread and must not touch the session.
 *
 * SMTP_OK: the server took every message for every recipient. SMTP_PARTIAL: sent was told what became of each.
 * SMTP_ERR_USAGE: next returned an invalid number. Another negative code: that of next, or
 * SMTP_ERR_CLOSED for a session that is not open: no message was taken then.
 */
int smtp_session_send_many(smtp_session *session,
                           smtp_next_fn next,
                           smtp_sent_fn sent,
                           void *user_data);

/**
 * What became of the last smtp_session_data(), for each recipient. *out gets a result to be freed with
 * smtp_result_free(), and the status of that is returned; SMTP_ERR_USAGE and NULL if there was none.
 */
int smtp_session_result(smtp_session *session,
                        smtp_result **out);

/** 1 if the connection can still be used, else 0. */
int smtp_session_is_open(const smtp_session *session);

/**
 * The reason for the last failure of a call on session: one line, empty if no call has failed. This and the strings
 * below live until the next call on session that says something to the server.
 */
const char *smtp_session_error(const smtp_session *session);

/** The code of the last reply to a verb, 0 if there was none. */
int smtp_session_reply_code(const smtp_session *session);

/** The enhanced status code of that reply, as "2.1.5"; empty if it has none. */
const char *smtp_session_reply_enhanced(const smtp_session *session);

/** The text of that reply without its codes; lines are separated by \n. */
const char *smtp_session_reply(const smtp_session *session);

/** The text of the server's greeting. */
const char *smtp_session_greeting(const smtp_session *session);

/**
 * Learns what the server offers: says EHLO if it was not said, with STARTTLS and login as the options of
 * the session want them. SMTP_OK; SMTP_ERR_REFUSED: neither EHLO nor HELO was taken; SMTP_ERR_TLS,
 * SMTP_ERR_LOGIN, or as the verbs.
 */
int smtp_session_options(smtp_session *session);

/**
 * How many extensions the server offers. It does smtp_session_options() first if that was not done since
 * the last EHLO, STARTTLS or login; 0 if it fails.
 */
size_t smtp_session_option_count(smtp_session *session);

/**
 * An extension that the server offers, "SIZE 1000", with that index, from 0; empty past the last, and
 * before smtp_session_options() or smtp_session_option_count().
 */
const char *smtp_session_option(const smtp_session *session,
                                size_t index);

/** How many SASL mechanisms the server offers; as smtp_session_option_count(). */
size_t smtp_session_auth_type_count(smtp_session *session);

/** A SASL mechanism that the server offers, "PLAIN"; as smtp_session_option(). */
const char *smtp_session_auth_type(const smtp_session *session, size_t index);

/**
 * Makes a mailer; free it with smtp_mailer_free(). options, NULL is the default ones, say how to connect and log in,
 * and give the envelope of messages that come without options. Option deadline is for how long a message may wait,
 * and a cancel ends the mailer. No connection is opened before there is a message.
 * SMTP_OK; SMTP_ERR_USAGE: an option whose value cannot be; SMTP_ERR_TLS; SMTP_ERR_CONNECT: no thread or
 * socket available. Then *out is NULL and *failure, if failure is not NULL, gets a result that tells why.
 */
int smtp_mailer_new(const smtp_options *options,
                    smtp_mailer **out,
                    smtp_result **failure);

/**
 * Takes a message with the envelope that options, or its header section, give; options NULL: those of the mailer.
 * What they say of servers, login and time-outs was settled when the mailer was made; what they say of TLS, proxy and
 * dialler must have been the same then. Waits while the queue is full (option queuesize). Gives the message's number, 1
 * for the first and so on, or a negative code, and nothing was taken: SMTP_ERR_USAGE, SMTP_ERR_SOURCE,
 * SMTP_ERR_CLOSED (the mailer was closed). *failure, if failure
 * is not NULL, gets a result that tells why, and NULL if there is a number.
 */
int64_t smtp_mailer_submit(smtp_mailer *mailer,
                           const smtp_message *message,
                           const smtp_options *options,
                           smtp_result **failure);

/** As smtp_mailer_submit(), but does not wait: SMTP_ERR_FULL if the queue is full. */
int64_t smtp_mailer_try_submit(smtp_mailer *mailer,
                               const smtp_message *message,
                               const smtp_options *options,
                               smtp_result **failure);

/**
 * Gives the next result, in the order in which messages were decided; waits for it for at most milliseconds, negative:
 * without end. 1: *number says of which message, and *result is to be freed with smtp_result_free(). 0: there was
 * none in that time, or, once everything is reported and the mailer is closed, there will be none. A result is kept
 * until it is fetched.
 */
int smtp_mailer_next(smtp_mailer *mailer,
                     int64_t milliseconds,
                     int64_t *number,
                     smtp_result **result);

/**
 * A descriptor that is readable while smtp_mailer_next() has a result, for event loops: then call that with 0
 * milliseconds, until it gives 0. It is the mailer's, always the same one, and only to be watched: never read from it or
 * close it. -1: no descriptor was left to make it of.
 */
int smtp_mailer_fd(smtp_mailer *mailer);

/**
 * Has the function of option commit asked once more that answered SMTP_COMMIT_AGAIN. From any thread; not from a signal
 * handler. SMTP_OK.
 */
int smtp_mailer_wake(smtp_mailer *mailer);

/**
 * Waits until every message that was taken is decided, for at most milliseconds, negative: without end. 1 if they
 * are, else 0. SMTP_ERR_BUSY in a callback that the mailer calls: it would wait for itself.
 */
int smtp_mailer_drain(smtp_mailer *mailer,
                      int64_t milliseconds);

/**
 * Takes no more messages, sends what it has for at most milliseconds, negative: without end, says QUIT to every
 * server and ends the connections. What is not decided by then is ended: its result is SMTP_ERR_CANCELLED, or
 * SMTP_ERR_UNKNOWN. 1 if nothing had to be, else 0. Results can still be fetched. SMTP_ERR_BUSY in a callback that
 * the mailer calls: it would wait for itself.
 */
int smtp_mailer_close(smtp_mailer *mailer,
                      int64_t milliseconds);

/** A number that the mailer keeps, one of SMTP_COUNT_...; 0 for another what. */
uint64_t smtp_mailer_count(const smtp_mailer *mailer, int what);

/**
 * The name of a server, as results have it, in the order of option servers, from 0; NULL after the last. It lives as long as
 * the mailer.
 */
const char *smtp_mailer_server(const smtp_mailer *mailer,
                               size_t index);

/**
 * A number that the mailer keeps of the server with this index, one of SMTP_SERVER_COUNT_...; 0 for another what and after
 * the last server.
 */
uint64_t smtp_mailer_server_count(const smtp_mailer *mailer,
                                  size_t index,
                                  int what);

/**
 * Ends a mailer and frees it, with the results that were not fetched. What is not decided is ended without waiting;
 * smtp_mailer_close() before it tells what became of that. NULL is fine.
 */
void smtp_mailer_free(smtp_mailer *mailer);

/**
 * Adds a login mechanism of the program's own, by the name that it has in AUTH: 1 to 20 capital letters, digits, hyphens and
 * underscores (RFC 4422 section 3.1). Those of the program are tried before those of the library, in this order; if option "auth" is set,
 * it names them. One that reveals_secret (not 0) is used only over TLS, on this machine, or with option "authinsecure"; one whose name
 * ends in -PLUS only if a login can be bound to the connection. release as for smtp_options_set_tlspolicy(). SMTP_OK;
 * SMTP_ERR_USAGE: an invalid name, one that a mechanism of the library has, or one that was added before; SMTP_ERR_NULL.
 */
int smtp_options_add_mechanism(smtp_options *options,
                               const char *name,
                               int reveals_secret,
                               smtp_mechanism_fn step,
                               void *user_data,
                               smtp_release_fn release);

/**
 * What is known of the login and its connection: "host" and "port" of the server, "protocol" (smtp or lmtp), the options
 * "username" and "authzid", "encrypted" and "verified" (1 under TLS, and with a certificate that verified or is pinned), "tls_version" (TLSv1.3).
 * Empty if it is not known or not so, and for any other name. It lives during the call of the mechanism.
 */
const char *smtp_login_fact(const smtp_login *login,
                            const char *name);

/**
 * Octets, and in size (may be NULL) how many: the server's "challenge", and what the login can be bound to (RFC 5056),
 * "tls-exporter", "tls-unique" or "tls-server-end-point". NULL if there are none, as at the beginning for the challenge. They live
 * during the call of the mechanism.
 */
const void *smtp_login_data(const smtp_login *login,
                            const char *name,
                            size_t *size);

/**
 * Tells that the mechanism has seen all that it needs: after the response of this call only the outcome is awaited. A server that says that
 * the login succeeded before that, or asks for more after it, is not believed. SMTP_OK.
 */
int smtp_login_done(smtp_login *login);

/**
 * Keeps something of the mechanism's own for the next step of this login, in place of what was kept before. release (may be NULL) is called
 * once when that is not needed any more: when something else is kept, when the login is over, however it ends, and at once if this call
 * fails. SMTP_OK.
 */
int smtp_login_keep(smtp_login *login,
                    void *kept,
                    smtp_release_fn release);

/** What was kept for this login; NULL at first. */
void *smtp_login_kept(const smtp_login *login);

/**
 * Adds a signer of the program's own: what it adds stands in front of the message, that of the first signer first, and before option
 * "dkim", which does not sign it. The message is read twice, so a reader must rewind. release as for smtp_options_set_tlspolicy().
 * SMTP_OK; SMTP_ERR_NULL.
 */
int smtp_options_add_signer(smtp_options *options,
                            smtp_signer_fn signer,
                            void *user_data,
                            smtp_release_fn release);

/**
 * Adds header fields in front of the message, after those that were added before: "Name: value", folded or not, in ASCII, in lines of at
 * most 998 octets that are not blank and end in CRLF or LF, the last one perhaps in nothing; Bcc and the like are an error. They are looked at when the function has returned. It counts only
 * if octets is NULL. SMTP_OK; SMTP_ERR_USAGE if fields is not UTF-8; SMTP_ERR_NULL.
 */
int smtp_signing_add(smtp_signing *signing,
                     const char *fields);

/**
 * Says in a few words why the message cannot be signed, whatever the signer returns then. Gives SMTP_ERR_SOURCE, also if why is not UTF-8:
 * return smtp_signing_fail(signing, "the key is locked");.
 */
int smtp_signing_fail(smtp_signing *signing,
                      const char *why);

/** When the message is signed, in seconds since 1970; 0 while octets is not NULL. */
int64_t smtp_signing_time(const smtp_signing *signing);

/**
 * Keeps something of the signer's own for the next piece of this message, in place of what was kept before. release (may be NULL) is called
 * once when that is not needed any more: when something else is kept, when the message is signed or cannot be, and at once if this call
 * fails. SMTP_OK.
 */
int smtp_signing_keep(smtp_signing *signing,
                      void *kept,
                      smtp_release_fn release);

/** What was kept for this message; NULL at first. */
void *smtp_signing_kept(const smtp_signing *signing);

/**
 * Begins to send a message. message and options (NULL: the default ones) are copied. *out gets the
 * engine, also after a failure, when it is SMTP_DONE and only has the result; free it with
 * smtp_engine_free(). It is NULL only with SMTP_ERR_NULL, SMTP_ERR_BUSY and SMTP_ERR_PANIC.
 * SMTP_OK; SMTP_ERR_USAGE: whatever can be found wrong without a server; SMTP_ERR_SOURCE: a file or reader
 * cannot be read; SMTP_ERR_TLS: the TLS files cannot.
 */
int smtp_engine_new(const smtp_message *message,
                    const smtp_options *options,
                    smtp_engine **out);

/** Begins smtp_verify() for an event loop. As smtp_engine_new(), without a message. */
int smtp_engine_new_verify(const smtp_options *options, smtp_engine **out);

/**
 * Frees an engine, at any time; what was begun is left as it is, and the library's connection is closed. Stop watching
 * smtp_engine_fd() first. Called by a function that the engine has called, it takes effect when that has returned: nothing
 * more is sent. NULL is fine.
 */
void smtp_engine_free(smtp_engine *engine);

/**
 * What to do next: SMTP_DIAL, SMTP_EXCHANGE or SMTP_DONE. If the library has the socket, the first two are its
 * business.
 */
int smtp_engine_action(const smtp_engine *engine);

/**
 * How long to wait for the descriptor, in milliseconds: -1 for no limit, and 0 if there is something to do now. When it
 * is over call smtp_engine_ready(); if the socket is yours, smtp_engine_timed_out(), and then
 * smtp_engine_action(). It covers the time that is left to the server, to connecting, and to the whole call; with a
 * cancel it is at most 200. Ask again after every other call.
 */
int64_t smtp_engine_timeout(const smtp_engine *engine);

/**
 * 1 if a reader of yours answered SMTP_READ_AGAIN: when it has more, call smtp_engine_ready(), or, if the
 * socket is yours, smtp_engine_output(). Else 0.
 */
int smtp_engine_waits_for_reader(const smtp_engine *engine);

/**
 * 1 if the function of option commit answered SMTP_COMMIT_AGAIN: when it knows more, call as for
 * smtp_engine_waits_for_reader(). Else 0.
 */
int smtp_engine_waits_for_commit(const smtp_engine *engine);

/**
 * Ends the send or session; why (NULL: not known) goes into the result, whose status is SMTP_ERR_CANCELLED, or
 * SMTP_ERR_UNKNOWN if the message may have arrived. No further server is tried. A function that the engine has called
 * (reader, commit, transcript, TLS policy, access token) may call it, too: it takes effect when that has returned, nothing more is sent, and the
 * result does not have why. SMTP_OK; SMTP_ERR_USAGE: it could not even be begun, or why is not UTF-8.
 */
int smtp_engine_abort(smtp_engine *engine,
                      const char *why);

/**
 * The result, at SMTP_DONE: *out gets it, to be freed with smtp_result_free(), and its status is
 * returned, as by smtp_sendmessage(). Before, and if a session was begun, SMTP_ERR_USAGE, and *out is NULL.
 */
int smtp_engine_result(const smtp_engine *engine,
                       smtp_result **out);

/**
 * The descriptor to watch, or -1 while there is none. It is the library's: never read, write or close it. After each
 * smtp_engine_ready() it may be another one. The one before stays open until the next smtp_engine_ready() or
 * smtp_engine_free(), so that another connection always has another number; stop watching it first.
 */
int smtp_engine_fd(const smtp_engine *engine);

/**
 * What to watch the descriptor for: SMTP_READ, SMTP_WRITE, both as a sum, or 0. It is meant level-triggered: what is
 * left to read or write makes the descriptor ready again.
 */
int smtp_engine_interest(const smtp_engine *engine);

/**
 * Does everything that can be done without blocking: connects, reads, writes, looks at the clock. Call it when the
 * descriptor is ready, when the time of smtp_engine_timeout() is over, and when a reader of yours has more octets.
 * what says what the descriptor is ready for, SMTP_READ, SMTP_WRITE or their sum; 0 if it is not, or if you
 * do not know. It is a hint: nothing goes wrong if it is not true.
 * SMTP_EXCHANGE: go on watching, and ask smtp_engine_fd(), smtp_engine_interest() and smtp_engine_timeout() anew.
 * SMTP_DONE: stop watching, and take the result; the connection has ended. A session may have answers, whichever
 * it is. SMTP_ERR_USAGE: another what, or you move the octets of this engine yourself; nothing was done.
 */
int smtp_engine_ready(smtp_engine *engine,
                      int what);

/**
 * The host to connect to, a name or an address, or the path of a Unix socket; with option proxy the proxy. Lives
 * until the next call that takes engine without const. This and the functions below are for programs that connect,
 * and move the octets, themselves: after the first of them that is not const, smtp_engine_ready() is
 * SMTP_ERR_USAGE, and they are after that one.
 */
const char *smtp_engine_host(const smtp_engine *engine);

/** The port to connect to; 0 if smtp_engine_host() is the path of a Unix socket. */
uint16_t smtp_engine_port(const smtp_engine *engine);

/**
 * Tells, at SMTP_DIAL, that the server, or the proxy, is connected. fd is only asked for its addresses, during
 * the call; -1 if there is none. SMTP_OK; SMTP_ERR_USAGE: it is not time for this, or the library has the socket,
 * and nothing was done. So with all functions below.
 */
int smtp_engine_connected(smtp_engine *engine,
                          int fd);

/** Tells, at SMTP_DIAL, that it cannot be connected to, and why (NULL: not known). */
int smtp_engine_connect_failed(smtp_engine *engine, const char *why);

/**
 * The octets to write now, in *data and *length; 0 octets if there are none. They live until the next
 * call that takes engine without const. A reader of yours may be called; if it fails, the send may be over.
 * First hand over what can be read: after an idle time the server may have said that it is leaving.
 */
int smtp_engine_output(smtp_engine *engine,
                       const void **data,
                       size_t *length);

/**
 * Tells that the first count octets of smtp_engine_output() were written. SMTP_ERR_USAGE also if
 * there were fewer.
 */
int smtp_engine_output_done(smtp_engine *engine,
                            size_t count);

/** Hands over octets that were read from the server. */
int smtp_engine_input(smtp_engine *engine, const void *data, size_t length);

/** Tells that the server ended its direction: a read gave 0 octets. */
int smtp_engine_eof(smtp_engine *engine);

/** Tells that reading or writing failed, and why (NULL: not known). */
int smtp_engine_failed(smtp_engine *engine, const char *why);

/**
 * Tells that the time of smtp_engine_timeout() passed; if it did not yet, nothing happens. Then ask
 * smtp_engine_action(); if that is SMTP_DIAL, the connection that you were making has had its time: make a new
 * one.
 */
int smtp_engine_timed_out(smtp_engine *engine);

/**
 * Begins a session for an event loop: an engine that is driven as a send is, until the connection is over. In between
 * the functions smtp_engine_ask_...() ask for something and give its ticket, and smtp_engine_answer() gives answers.
 * Ticket 0 is the greeting; what is asked before it waits for it. host, port, options and *out as for
 * smtp_session_open(); *out is there after a failure, too, when it only has a result. Option deadline is for the
 * time in which something asked is not answered.
 * SMTP_OK; SMTP_ERR_USAGE: that is not a server, or not a proxy; SMTP_ERR_TLS: the TLS files cannot be used.
 */
int smtp_engine_new_session(const char *host,
                            int port,
                            const smtp_options *options,
                            smtp_engine **out);

/**
 * EHLO. name NULL: that of option client. Gives a ticket, as all functions below do, or SMTP_ERR_USAGE: an
 * argument that cannot stand in a command, or not a session; smtp_engine_ask_error() tells. What is asked is done in its
 * order; if the connection is over, the answer says so. From here until the next smtp_engine_ready(), or
 * smtp_engine_action() if the socket is yours, smtp_engine_timeout() is 0.
 */
int64_t smtp_engine_ask_ehlo(smtp_engine *engine,
                             const char *name);

/** HELO. name NULL: that of option client. */
int64_t smtp_engine_ask_helo(smtp_engine *engine, const char *name);

/** LHLO; from here on the session speaks LMTP. name NULL: that of option client. */
int64_t smtp_engine_ask_lhlo(smtp_engine *engine, const char *name);

/** MAIL FROM. As smtp_session_mail(). */
int64_t smtp_engine_ask_mail(smtp_engine *engine, const char *from, const char *parameters);

/** RCPT TO. As smtp_session_rcpt(). */
int64_t smtp_engine_ask_rcpt(smtp_engine *engine, const char *to, const char *parameters);

/**
 * Any other command, in one line without its CRLF: "RSET", "VRFY ann". As smtp_session_command().
 */
int64_t smtp_engine_ask_command(smtp_engine *engine,
                                const char *line);

/**
 * A verb by its name, "vrfy", with what it takes, as docs/session.md has them; a C string that is NULL ends what it takes.
 * This is for a program that has names of verbs; the other functions do the same for one each. SMTP_ERR_USAGE also for
 * verbs that are more than a command: data, starttls, authenticate.
 */
int64_t smtp_engine_ask(smtp_engine *engine,
                        const char *verb,
                        const char *const *arguments);

/** QUIT, whose reply is answered. The connection is over then. */
int64_t smtp_engine_ask_quit(smtp_engine *engine);

/**
 * DATA and the message, for the recipients that were accepted; as smtp_session_data(). data is copied. The
 * answer has the final reply, or that to DATA if it was refused, and a result.
 */
int64_t smtp_engine_ask_data(smtp_engine *engine,
                             const void *data,
                             size_t length);

/** STARTTLS and the handshake after it. As smtp_session_starttls(). */
int64_t smtp_engine_ask_starttls(smtp_engine *engine);

/** A login. As smtp_session_authenticate(). The answer has a status, and no reply. */
int64_t smtp_engine_ask_login(smtp_engine *engine,
                              const char *user,
                              const char *password,
                              const char *type);

/**
 * A message with the envelope that the options, or its header section, give; options NULL: those of the session.
 * As smtp_session_sendmessage(). The answer has the status and the result of it.
 */
int64_t smtp_engine_ask_sendmessage(smtp_engine *engine,
                                    const smtp_message *message,
                                    const smtp_options *options);

/**
 * EHLO, TLS and login as the options want them, unless they were done already. The answer has a status, and no
 * reply; then smtp_engine_extensions() tells what the server offers.
 */
int64_t smtp_engine_ask_introduce(smtp_engine *engine);

/**
 * Sends QUIT after the requests that have begun and does not wait for its reply: it has no ticket. What was asked and not
 * begun is answered by an error, so wait for the answers first. A connection that is being made is given up. SMTP_OK;
 * SMTP_ERR_USAGE: not a session.
 */
int smtp_engine_part(smtp_engine *engine);

/**
 * Why the last function that asks gave no ticket: one line, empty if it did. Lives until the next call that
 * takes engine without const.
 */
const char *smtp_engine_ask_error(const smtp_engine *engine);

/**
 * Takes the next answer: 1, and *ticket says to what; 0 if there is none. The functions below tell what it
 * is, until the next call of this one.
 */
int smtp_engine_answer(smtp_engine *engine,
                       int64_t *ticket);

/**
 * SMTP_OK if there is a reply, whatever it says, and if a login or introduction succeeded; a negative code
 * if not. For a message the status of its result.
 */
int smtp_engine_answer_status(const smtp_engine *engine);

/** The code of the server's reply; 0 if there is none. */
int smtp_engine_answer_code(const smtp_engine *engine);

/**
 * The enhanced status code of that reply, as "2.1.5"; empty if it has none. This and the strings below live
 * until the next smtp_engine_answer().
 */
const char *smtp_engine_answer_enhanced(const smtp_engine *engine);

/** The text of that reply without its codes; lines are separated by \n. */
const char *smtp_engine_answer_text(const smtp_engine *engine);

/** Why no reply came, or why what was asked failed, in one line; empty otherwise. */
const char *smtp_engine_answer_error(const smtp_engine *engine);

/**
 * What became of a message or of DATA: *out gets a result to be freed with smtp_result_free(), and its status
 * is returned; SMTP_ERR_USAGE and NULL if the answer is to something else.
 */
int smtp_engine_answer_result(const smtp_engine *engine,
                              smtp_result **out);

/**
 * The extensions that the server of a session offered last, "SIZE 1000" and so on, separated by \n. Lives until
 * the next call that takes engine without const.
 */
const char *smtp_engine_extensions(smtp_engine *engine);

/**
 * The SASL mechanisms that the server of a session offered last, separated by \n. As smtp_engine_extensions().
 */
const char *smtp_engine_auth_types(smtp_engine *engine);

/**
 * Reads an address list, "Ann <ann@a.example>, Crew: bo@b.example;". *out gets it, also after
 * SMTP_ERR_USAGE (it then only tells why); free it with smtp_addresses_free(). It is NULL only with
 * SMTP_ERR_NULL and SMTP_ERR_PANIC. SMTP_OK; SMTP_ERR_USAGE: not an address list, or one
 * that SMTP cannot carry. The empty text is the empty list.
 */
int smtp_address_parse(const char *list,
                       smtp_addresses **out);

/** Frees it and its strings. NULL is fine. */
void smtp_addresses_free(smtp_addresses *addresses);

/** Why the text is not an address list: the place and the reason, in one line; empty if it is one. */
const char *smtp_addresses_error(const smtp_addresses *addresses);

/** How many mailboxes there are, the members of groups among them. */
size_t smtp_addresses_count(const smtp_addresses *addresses);

/** The addr-spec, "ann@a.example", without comments and white space: what RCPT TO has. */
const char *smtp_addresses_addr_spec(const smtp_addresses *addresses, size_t index);

/** The local part, quoted only if it must be. */
const char *smtp_addresses_local(const smtp_addresses *addresses, size_t index);

/** The domain, or a literal in its brackets; empty only for postmaster alone. */
const char *smtp_addresses_domain(const smtp_addresses *addresses, size_t index);

/** The display name, without quotes; encoded words (RFC 2047) stay as they are. */
const char *smtp_addresses_display_name(const smtp_addresses *addresses, size_t index);

/** The name of the group that it is a member of. */
const char *smtp_addresses_group(const smtp_addresses *addresses, size_t index);

#ifdef __cplusplus
}
#endif

#endif

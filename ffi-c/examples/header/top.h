/* Made by `cargo run -p libsmtp --example header`: change ffi-c/src instead. */
/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef LIBSMTP_H
#define LIBSMTP_H

/*
 * libsmtp: an SMTP client that knows what became of every message. Link with -lsmtp, or
 * `pkg-config --cflags --libs libsmtp`.
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
 * `T **out`: free it with the _free (or _close) of its type. Freeing NULL does nothing.
 *
 * Memory. The library copies what you pass in. The strings that it returns (`const char *`) belong to their handle: never
 * free them. They live until the next call that takes the handle without `const`; those of a result or an address list
 * live as long as that. They end in NUL and are UTF-8; one that has nothing to say is empty, not NULL, unless its comment
 * says otherwise. Text that you pass in is UTF-8, too; paths may be any octets.
 *
 * Codes. An `int` status is 0 (SMTP_OK) if all went well, positive if some of it did, and negative if nothing
 * did. The comment of a function lists its codes; besides those it may return SMTP_ERR_NULL (a pointer is NULL
 * that must not be), SMTP_ERR_USAGE (a text that is not UTF-8), SMTP_ERR_BUSY (the handle is in use) and
 * SMTP_ERR_PANIC (an internal error: free the handle, and please report it). A change that fails changes nothing,
 * and the error function of the handle says why. Verbs of a session return the server's reply code. Counts and
 * numbers are 0 for NULL.
 *
 * Threads. A handle is used by one thread at a time, except for a mailer, which any number may use; different handles
 * never interfere. Functions that take a message or options with `const` may run on several threads at once, also
 * on the same ones.
 *
 * Callbacks return; they neither throw nor longjmp. A callback may use any handle but the one in use by the call
 * that called it: that gives SMTP_ERR_BUSY (and empty strings, and 0 for numbers).
 *
 * The library keeps no state but in handles, starts threads only to resolve a name and for a mailer,
 * installs no signal handler, raises no SIGPIPE, and prints nothing unless option `debug` says so.
 *
 * Numbers, names and signatures are never changed or reused; new ones may be added.
 *
 * The options of smtp_options_set(), what each takes, and its default; docs/options.md says what each does:
 *
@OPTIONS@
 */

/** The version of this header; smtp_library_version() has that of the library. */
#define SMTP_VERSION "@VERSION@"
/** The same as a number that grows: major, minor and patch, 8 bits each. */
#define SMTP_VERSION_NUMBER @VERSION_NUMBER@

/** For smtp_session_authenticate(): the mechanisms that the server offers, strongest first. */
#define SMTP_AUTH_DEFAULT NULL
/** For smtp_session_authenticate(): PLAIN only (RFC 4616). */
#define SMTP_AUTH_PLAIN "PLAIN"
/** For smtp_session_authenticate(): LOGIN only. */
#define SMTP_AUTH_LOGIN "LOGIN"


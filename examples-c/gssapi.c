/* gssapi SERVER RECIPIENT: logs in by Kerberos (RFC 4752), with the ticket that `kinit` has fetched: a login mechanism of the program's own, made
 * of libgssapi. Link with `pkg-config --cflags --libs libsmtp krb5-gssapi`. */
#include <gssapi/gssapi.h>
#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    gss_ctx_id_t context;
    gss_name_t server;
    int is_established;
} Login;

static void forget(void *kept)
{
    Login *login = kept;
    OM_uint32 minor;

    gss_delete_sec_context(&minor, &login->context, GSS_C_NO_BUFFER);
    gss_release_name(&minor, &login->server);
    free(login);
}

/* What GSSAPI says of a failure. */
static int64_t failed(OM_uint32 major, OM_uint32 minor, char *why, size_t size)
{
    OM_uint32 ignored, more = 0;
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    int is_mechanism = major == GSS_S_FAILURE;

    gss_display_status(&ignored, is_mechanism ? minor : major, is_mechanism ? GSS_C_MECH_CODE : GSS_C_GSS_CODE, GSS_C_NO_OID, &more, &text);
    snprintf(why, size, "%.*s", (int)text.length, (const char *)text.value);
    gss_release_buffer(&ignored, &text);
    return -1;
}

/* The server's key is for smtp@ and its name, as it was given. */
static Login *begin(smtp_login *smtp)
{
    char service[512];
    gss_buffer_desc name;
    OM_uint32 minor;
    Login *login = calloc(1, sizeof *login);

    if (login == NULL) return NULL;
    login->context = GSS_C_NO_CONTEXT;
    name.length = (size_t)snprintf(service, sizeof service, "smtp@%s", smtp_login_fact(smtp, "host"));
    name.value = service;
    if (name.length >= sizeof service
        || gss_import_name(&minor, &name, GSS_C_NT_HOSTBASED_SERVICE, &login->server) != GSS_S_COMPLETE) {
        free(login);
        return NULL;
    }
    smtp_login_keep(smtp, login, forget);
    return login;
}

static int64_t put(gss_buffer_t token, void *response, size_t size)
{
    OM_uint32 minor;
    int64_t length = (int64_t)token->length;

    if (token->length <= size) memcpy(response, token->value, token->length);
    gss_release_buffer(&minor, token);
    return length;
}

/* The context is there: neither side wants a layer, and option authzid is whom to act for. */
static int64_t finish(Login *login, smtp_login *smtp, gss_buffer_t challenge, void *response, size_t size)
{
    char chosen[516] = {1, 0, 0, 0};
    const char *whom = smtp_login_fact(smtp, "authzid");
    gss_buffer_desc offered = GSS_C_EMPTY_BUFFER, plain, token = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor, major = gss_unwrap(&minor, login->context, challenge, &offered, NULL, NULL);
    int has_none = offered.length == 4 && (*(const unsigned char *)offered.value & 1);

    if (GSS_ERROR(major)) return failed(major, minor, response, size);
    gss_release_buffer(&minor, &offered);
    if (!has_none || strlen(whom) > 512) {
        strcpy(response, has_none ? "authzid is too long" : "the server wants a security layer");
        return -1;
    }
    memcpy(chosen + 4, whom, strlen(whom));
    plain.length = 4 + strlen(whom);
    plain.value = chosen;
    major = gss_wrap(&minor, login->context, 0, GSS_C_QOP_DEFAULT, &plain, NULL, &token);
    if (GSS_ERROR(major)) return failed(major, minor, response, size);
    smtp_login_done(smtp);
    return put(&token, response, size);
}

static int64_t step(void *user_data, smtp_login *smtp, void *response, size_t size)
{
    Login *login = smtp_login_kept(smtp);
    gss_buffer_desc challenge = GSS_C_EMPTY_BUFFER, token = GSS_C_EMPTY_BUFFER;
    OM_uint32 major, minor;

    (void)user_data;
    if (login == NULL) login = begin(smtp);
    if (login == NULL) {
        strcpy(response, "this server has no name for Kerberos");
        return -1;
    }
    challenge.value = (void *)smtp_login_data(smtp, "challenge", &challenge.length);
    if (login->is_established) return finish(login, smtp, &challenge, response, size);
    major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &login->context, login->server, GSS_C_NO_OID,
        GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG, 0, GSS_C_NO_CHANNEL_BINDINGS, &challenge, NULL, &token, NULL, NULL);
    if (GSS_ERROR(major)) return failed(major, minor, response, size);
    login->is_established = major == GSS_S_COMPLETE;
    return put(&token, response, size);
}

int main(int argc, char **argv)
{
    static const char body[] = "This is the message.\n";
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    smtp_result *result = NULL;
    int status;

    if (argc != 3) return 2;
    smtp_message_set_text(message, body, sizeof body - 1);
    smtp_options_set(options, "servers", argv[1]);
    smtp_options_set(options, "recipients", argv[2]);
    smtp_options_add_mechanism(options, "GSSAPI", 0, step, NULL, NULL);
    status = smtp_sendmessage(message, options, &result);
    printf("%s %s\n", smtp_result_attempt_login_mechanism(result, 0, 0), smtp_result_error(result));
    smtp_result_free(result);
    smtp_options_free(options);
    smtp_message_free(message);
    return status != SMTP_OK;
}

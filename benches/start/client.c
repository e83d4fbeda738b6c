/* client PORT: sends one message to a server on loopback, by libsmtp or, with -DBY_CURL, by libcurl; `client 0` only starts the library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef BY_CURL
#include <curl/curl.h>

int main(int argc, char **argv)
{
    CURL *curl;
    struct curl_slist *to = curl_slist_append(NULL, "bob@example.test");
    char url[64], text[] = "From: a@example.test\r\nTo: bob@example.test\r\n\r\nHello.\r\n";
    FILE *message;
    int failed = 0;

    if (argc != 2 || curl_global_init(CURL_GLOBAL_ALL) != 0)
        return 2;
    if (atoi(argv[1]) != 0) {
        curl = curl_easy_init();
        message = tmpfile();
        if (curl == NULL || to == NULL || message == NULL || fputs(text, message) < 0)
            return 2;
        rewind(message);
        snprintf(url, sizeof url, "smtp://127.0.0.1:%s", argv[1]);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_MAIL_FROM, "a@example.test");
        curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
        curl_easy_setopt(curl, CURLOPT_READDATA, message);
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        failed = curl_easy_perform(curl) != CURLE_OK;
    }
    return failed;
}
#else
#include <libsmtp.h>

int main(int argc, char **argv)
{
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    smtp_result *result = NULL;
    int failed = 0;

    if (argc != 2 || message == NULL || options == NULL)
        return 2;
    if (atoi(argv[1]) != 0) {
        smtp_message_set_text(message, "Hello.\n", strlen("Hello.\n"));
        smtp_options_set(options, "servers", "127.0.0.1");
        smtp_options_set(options, "ports", argv[1]);
        smtp_options_set(options, "recipients", "bob@example.test");
        failed = smtp_sendmessage(message, options, &result) != SMTP_OK;
    }
    return failed;
}
#endif

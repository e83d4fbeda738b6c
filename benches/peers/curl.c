/* libcurl: one easy handle, or a multi handle for many connections. See benches/README.md for the arguments. */
#include <curl/curl.h>

#include "../tools/task.h"

static struct task task;

static size_t give(char *to, size_t size, size_t count, void *at)
{
    size_t *done = at, length = size * count;

    if (length > task.octets - *done) length = task.octets - *done;
    memcpy(to, task.body + *done, length);
    *done += length;
    return length;
}

struct one {
    CURL *easy;
    size_t done;
};

static void prepare(struct one *one, struct curl_slist *to)
{
    char url[64];
    int wrap = strcmp(task.tls, "wrap") == 0;

    one->easy = curl_easy_init();
    sprintf(url, "%s://127.0.0.1:%u/client.example.test", wrap ? "smtps" : "smtp", task.port);
    curl_easy_setopt(one->easy, CURLOPT_URL, url);
    curl_easy_setopt(one->easy, CURLOPT_MAIL_FROM, "<from@example.test>");
    curl_easy_setopt(one->easy, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(one->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(one->easy, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(one->easy, CURLOPT_READDATA, &one->done);
    curl_easy_setopt(one->easy, CURLOPT_UPLOAD_BUFFERSIZE, task.octets > 65536 ? 524288L : 65536L);
    curl_easy_setopt(one->easy, CURLOPT_NOSIGNAL, 1L);
    if (strcmp(task.tls, "no")) {
        curl_easy_setopt(one->easy, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
        curl_easy_setopt(one->easy, CURLOPT_CAINFO, task.certificate);
    }
    if (strcmp(task.mode, "each") == 0) curl_easy_setopt(one->easy, CURLOPT_FORBID_REUSE, 1L);
}

static int some(struct one *one)
{
    long n;
    CURLcode code = CURLE_OK;

    for (n = 0; n < task.messages && code == CURLE_OK; n++) {
        one->done = 0;
        code = curl_easy_perform(one->easy);
    }
    if (code != CURLE_OK) fprintf(stderr, "%s\n", curl_easy_strerror(code));
    return code != CURLE_OK;
}

static int parallel(struct one *all)
{
    CURLM *multi = curl_multi_init();
    CURLMsg *told;
    long left = task.messages - task.connections, n;
    int running = 1, waiting, bad = 0;

    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, task.connections);
    for (n = 0; n < task.connections; n++) curl_multi_add_handle(multi, all[n].easy);
    while (running) {
        curl_multi_perform(multi, &running);
        while ((told = curl_multi_info_read(multi, &waiting)) != NULL) {
            CURL *easy = told->easy_handle;
            bad |= told->data.result != CURLE_OK;
            curl_multi_remove_handle(multi, easy);
            if (left-- <= 0) continue;
            for (n = 0; all[n].easy != easy; n++) continue;
            all[n].done = 0;
            curl_multi_add_handle(multi, easy);
            running = 1;
        }
        if (running) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    for (n = 0; n < task.connections; n++) curl_multi_remove_handle(multi, all[n].easy);
    curl_multi_cleanup(multi);
    return bad;
}

int main(int argc, char **argv)
{
    struct curl_slist *to = NULL;
    struct one *all;
    char address[64];
    long n;
    int status;

    if (!task_read(&task, argc, argv)) return 2;
    curl_global_init(CURL_GLOBAL_ALL);
    for (n = 0; n < task.recipients; n++) {
        sprintf(address, "<to%ld@example.test>", n);
        to = curl_slist_append(to, address);
    }
    if (strcmp(task.mode, "parallel")) task.connections = 1;
    all = calloc((size_t)task.connections, sizeof *all);
    for (n = 0; n < task.connections; n++) prepare(&all[n], to);
    status = strcmp(task.mode, "parallel") == 0 ? parallel(all) : some(&all[0]);
    for (n = 0; n < task.connections; n++) curl_easy_cleanup(all[n].easy);
    curl_slist_free_all(to);
    return status;
}

/* There is no fork(2) on Windows: the tests of it fail there, and are not run. */
#ifndef POSIX_WAIT_H
#define POSIX_WAIT_H
#define alarm(seconds) ((void)(seconds))
#define pipe(ends) ((void)(ends), -1)
#define fork() (-1)
#define waitpid(pid, status, flags) (-1)
#define WIFEXITED(status) 0
#define WEXITSTATUS(status) 1
#endif

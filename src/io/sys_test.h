/* sys_test: the file store's system calls with switches, in test builds only
 * (-DAG_TEST): a call can be made to fail, to write short, or to be the process's
 * last; and the calls can be written down. Must be nothing at all in other builds. */
#ifndef AG_IO_SYS_TEST_H
#define AG_IO_SYS_TEST_H

#ifdef AG_TEST
#include "io/sys.h"

typedef enum ag_sys_fault_kind {
    AG_SYS_FAULT_ERROR,
    AG_SYS_FAULT_KILL_BEFORE,
    AG_SYS_FAULT_KILL_AFTER,
    AG_SYS_FAULT_STOP /* SIGSTOP before the call, which is then made */
} ag_sys_fault_kind;

typedef struct ag_sys_fault {
    char op[16];   /* which entry of the table, by its name; "": any of them */
    long nth;      /* which call from now, 1: the next; 0: none */
    long times;    /* that one and how many after it */
    ag_sys_fault_kind kind;
    int err;       /* the errno of AG_SYS_FAULT_ERROR */
    size_t most;   /* the most bytes any one write takes; 0: no limit */
} ag_sys_fault;

/* One call that was made; owned here, until it is forgotten. */
typedef struct ag_sys_record {
    const char *op;
    int fd;        /* given or got; a directory's for calls by name */
    int64_t result;
    int err;
    char *name, *to;
    char *bytes;
    size_t n;
} ag_sys_record;

extern const ag_sys ag_sys_test; /* in place of ag_sys_real; one for the whole process */

void ag_sys_test_fault(const ag_sys_fault *fault); /* copied; NULL: none */
long ag_sys_test_count(void);                      /* calls that matched since then */
void ag_sys_test_record(bool on);                  /* starts and stops writing down */
const ag_sys_record *ag_sys_test_records(size_t *n); /* borrowed */
void ag_sys_test_forget(void);
#endif

#endif

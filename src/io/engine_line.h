/* engine_line: whose turn it is to begin. Jobs for one host stand in one line, and only so
 * many of them go on at a time, so that they share one HTTP/2 connection where they can
 * and no host keeps the others waiting. One thread's. Must never begin a job itself. */
#ifndef AG_IO_ENGINE_LINE_H
#define AG_IO_ENGINE_LINE_H

#include "core/alloc.h"

typedef struct ag_line ag_line;

/* What a job has of it; {0} at first. */
typedef struct ag_place {
    ag_line *line;          /* NULL: in none */
    struct ag_place *prev, *next;
    bool waits;             /* else it goes on */
    void *owner;
} ag_place;

enum { AG_LINE_BUCKETS = 64 };
typedef struct ag_lines {
    ag_line *buckets[AG_LINE_BUCKETS];
    ag_line *turn;          /* a ring of those where somebody may begin */
    size_t active;
    bool any_still;
} ag_lines;

bool ag_lines_join(const ag_alloc *a, ag_lines *all, ag_place *p, ag_view url);  /* false: out of memory */
ag_place *ag_lines_next(ag_lines *all);         /* it goes on from now; NULL: nobody may begin */
void ag_lines_put_back(ag_lines *all, ag_place *p);     /* the one just given; its line stands still */
void ag_lines_release(ag_lines *all);           /* all lines move again */
void ag_lines_leave(const ag_alloc *a, ag_lines *all, ag_place *p);     /* nothing if it is in none */

#endif

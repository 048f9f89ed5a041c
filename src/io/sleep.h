/* sleep: lets the calling thread wait. Must only be used by the blocking host. */
#ifndef AG_IO_SLEEP_H
#define AG_IO_SLEEP_H

/* Seconds; returns early when a signal arrives, so that its handler is heard. */
void ag_sleep(double seconds);

#endif

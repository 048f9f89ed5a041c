/* sleep: lets the calling thread wait, and measures short spans. Must only be used by hosts that may block, and by the
 * scheduler; what has to do with sessions goes by ag_platform_now. */
#ifndef AG_IO_SLEEP_H
#define AG_IO_SLEEP_H

/* Seconds; returns early when a signal arrives, so that its handler is heard. */
void ag_sleep(double seconds);

/* Seconds since some moment, as fine as the system has them; stands still while the machine is asleep. */
double ag_clock(void);

#endif

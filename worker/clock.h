/* The clocks of what runs outside the loop: the log's time stamps, and restorectl. The daemon's own
 * code takes its time from loop_now. Any thread. */
#ifndef WORKER_CLOCK_H
#define WORKER_CLOCK_H

#include <stdint.h>

int64_t clock_read_wall_ms(void); /* since the epoch */
int64_t clock_read_mono_ms(void);

#endif

#include "worker/restorectl/progress.h"

#include "worker/clock.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { BAR_CHARS = 30 };

void progress_begin(struct progress *progress, int total, bool has_bar)
{
    *progress = (struct progress){.total = total,
                                  .begun_at_mono_ms = clock_read_mono_ms(),
                                  .is_terminal = isatty(STDERR_FILENO) == 1,
                                  .has_bar = has_bar};
}

void progress_show(const struct progress *progress, int done, const struct tally *tally)
{
    int64_t seconds = (clock_read_mono_ms() - progress->begun_at_mono_ms) / 1000;
    if (!progress->is_terminal)
        return;
    if (progress->has_bar) {
        char bar[BAR_CHARS + 1];
        int full = progress->total > 0 ? (int)((int64_t)done * BAR_CHARS / progress->total) : 0;
        memset(bar, '.', BAR_CHARS);
        memset(bar, '#', (size_t)full);
        bar[BAR_CHARS] = '\0';
        fprintf(stderr, "\r[%s] %d of %d, %" PRId64 " failed, %" PRId64 " conflicts, %" PRId64 " s",
                bar, done, progress->total, tally->failed, tally->conflicts, seconds);
    } else {
        fprintf(stderr, "\r%d of %d outcomes after %" PRId64 " s", done, progress->total, seconds);
    }
}

void progress_clear(const struct progress *progress)
{
    if (progress->is_terminal)
        fputs("\r\033[K", stderr);
}

#!/bin/sh
# A file is one idea and a function fits on a screen and a bit: hard limits a little above the aims
# of 400 and 60 lines.
. "$(dirname "$0")/lib.sh"
FILE_LINES=450
FUNCTION_LINES=70

command -v ctags >/dev/null || { echo "needs ctags (Debian: universal-ctags)"; exit 1; }

sources() { product_files | grep '\.c$'; }
{
    sources | while read -r file; do
        lines=$(wc -l <"$file")
        [ "$lines" -le $FILE_LINES ] || echo "$file: $lines lines, at most $FILE_LINES"
    done
    sources | ctags -L - --languages=C --c-kinds=f --fields=+ne -f - |
        awk -F'\t' -v max=$FUNCTION_LINES '{
            start = end = 0
            for (i = 4; i <= NF; i++) {
                if ($i ~ /^line:/) start = substr($i, 6)
                if ($i ~ /^end:/) end = substr($i, 5)
            }
            if (end - start + 1 > max)
                print $2 ":" start ": " $1 " has " end - start + 1 " lines, at most " max
        }'
} | no_faults

#!/bin/sh
# Functions that no product code calls, and the clocks that only the loop reads: time comes to all
# others with the event (design section 5).
. "$(dirname "$0")/lib.sh"

BANNED='strcpy|strcat|sprintf|vsprintf|strtok|atoi|gets|system|alloca'
CLOCKS='time|gettimeofday|clock_gettime'
CLOCK_READERS='^worker/(loop[a-z_]*|clock)\.c:' # every exception stands here

call() { # lines of standard input that call one of the functions $1; a member is no function
    grep -E "(^|[^A-Za-z0-9_.>])($1)[ \t]*\\(" | sed 's/$/    <- banned/'
}

{
    product_code | call "$BANNED"
    product_code | grep -vE "$CLOCK_READERS" | call "$CLOCKS"
} | no_faults

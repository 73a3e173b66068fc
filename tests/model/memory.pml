/* SPDX-License-Identifier: MIT */
/*
 * Memory that is as weak as the C language allows it to be for stores: each thread of the worker has a buffer of stores that nobody else
 * sees yet. An entry may go to memory at any time, in any order, but for two rules: stores to one place keep their order, and a
 * release store goes only when nothing older is left. Loads of the collector are acquire loads: they are made in their order.
 *
 * Whoever includes it defines PLACES, and STORERS (threads with a buffer). A killed thread issues nothing more, but what it has issued
 * gets to memory: so it is with a processor, and with a file that another process has mapped.
 */
#ifndef BUFFER
#define BUFFER 3 /* stores under way of a thread; with more it waits */
#endif

byte mem[PLACES];

typedef store_buffer {
    byte n;
    byte place[BUFFER];
    byte value[BUFFER];
    bit release[BUFFER];
};
store_buffer sb[STORERS];

inline store(me, where, what, is_release)
{
    atomic {
        sb[me].n < BUFFER;
        d_step {
            sb[me].place[sb[me].n] = where;
            sb[me].value[sb[me].n] = what;
            sb[me].release[sb[me].n] = is_release;
            sb[me].n++
        }
    }
}

/* The entry leaves the buffer; what is unused is zeroed, so that equal states look equal. */
inline land(me, i)
{
    mem[sb[me].place[i]] = sb[me].value[i];
    k = i;
    do
    :: k + 1 < sb[me].n ->
        sb[me].place[k] = sb[me].place[k + 1];
        sb[me].value[k] = sb[me].value[k + 1];
        sb[me].release[k] = sb[me].release[k + 1];
        k++
    :: else -> break
    od;
    sb[me].place[k] = 0;
    sb[me].value[k] = 0;
    sb[me].release[k] = 0;
    k = 0;
    sb[me].n--
}

#define FREE1(me) (sb[me].n > 1 && !sb[me].release[1] && sb[me].place[1] != sb[me].place[0])
#define FREE2(me)                                                                                                      \
    (sb[me].n > 2 && !sb[me].release[2] && sb[me].place[2] != sb[me].place[0] && sb[me].place[2] != sb[me].place[1])

/* One for each buffer: it decides which store is seen next. */
proctype memory(byte me)
{
    byte k;
end:
    do
    :: d_step { sb[me].n > 0 -> land(me, 0) }
    :: d_step { FREE1(me) -> land(me, 1) }
    :: d_step { FREE2(me) -> land(me, 2) }
    od
}

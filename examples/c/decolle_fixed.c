/* DECOLLE in fixed point: the program of decolle.c with the arithmetic of fixed.h.
 *
 *     cc -O2 -std=c99 -o decolle_fixed decolle_fixed.c -lm
 *     ./decolle_fixed CASE TRACE
 */
#define FIXED_POINT
#include "decolle.c"

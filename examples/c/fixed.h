/* The arithmetic of decolle_fixed.c: fixed point Q8.16, rounded as -DROUNDING=NEAREST (the default), FLOOR or STOCHASTIC.
 *
 * A number x is stored as the integer x 2^16, from -2^24 to 2^24 - 1, which stand for -256 and 256 - 2^-16; beyond
 * these it saturates.  Products and their sums are exact, in units of 2^-32 in 64 bits; only `narrow` and the
 * divisions round, to the nearest integer, and halves up: floor(x + 1/2), or floor(x), or floor(x + r / 2^16), where r is
 * the state of a shift register of 16 bits (Galois form, shifted right) after one more step.
 */
#define HAS_EXP 0
#define HOLDS_FLOAT64 1 /* as dtype of a case whose numbers are all Q8.16 */
#define MOST_TERMS 8192 /* of one sum: each term is at most 2^48, so the sum stays within 2^62 */

typedef int32_t num;
typedef int64_t wide;

static const num ONE = 65536;

/* floor(a / b) for b > 0; C itself truncates towards zero. */
static wide floor_divide(wide a, wide b) { return a / b - (a % b < 0); }

#define NEAREST 1
#define FLOOR 2
#define STOCHASTIC 3
#ifndef ROUNDING
#define ROUNDING NEAREST
#endif
#define LFSR_TAPS 0xB400
static wide lfsr = 0xACE1; /* the seed */

/* floor(a / b + 1/2), or with another rounding, for b > 0; no intermediate result needs more than 64 bits. */
static wide divided(wide a, wide b)
{
    const wide whole = floor_divide(a, b), rest = a - whole * b;
    if (ROUNDING == FLOOR) return whole;
    if (ROUNDING == NEAREST) return whole + (2 * rest >= b);
    lfsr = lfsr >> 1 ^ (lfsr & 1 ? LFSR_TAPS : 0);
    return whole + (rest >= b - (b >> 16) * lfsr - ((b & 65535) * lfsr >> 16));
}

static num saturate(wide a)
{
    const wide most = 256 * (wide)ONE - 1, least = -256 * (wide)ONE;
    return (num)(a > most ? most : a < least ? least : a);
}

static wide mul(num a, num b) { return (wide)a * b; }
static wide widen(num a) { return (wide)a * ONE; }
static num narrow(wide a) { return saturate(divided(a, ONE)); }
static num divide(num a, num b) { return saturate(divided(widen(a), b)); }
static num inverse_square(num a) { return saturate(divided((wide)1 << 48, mul(a, a))); }
static num share(num a, long count) { return (num)divided(a, count); }
static num exponential(num a) { return a; } /* never called: cases that need it are refused */

/* From a number of the case, and back; both are exact. */
static num exactly(const char *name, double x, double most)
{
    double scaled = x * ONE;
    if (scaled != floor(scaled) || x < -most || x >= most)
        fail("%s: expected multiples of 2^-16 from -%g to below %g, got %.9g", name, most, most, x);
    return (num)scaled;
}
static num number(const char *name, double x) { return exactly(name, x, 256); }
static num events(const char *name, double x) { return exactly(name, x, 32768); } /* counts may exceed the range of numbers */
static double value(num a) { return a / 65536.0; }

/* Derived constants are rounded once. */
static num complement(num a) { return ONE - a; }
static num inverse_complement(num a) { return saturate(divided((wide)1 << 32, ONE - a)); }
static num times_complement(num a, num b) { return narrow(mul(ONE - a, b)); }

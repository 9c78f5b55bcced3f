/* The arithmetic of decolle.c: float32.  Every product and every sum is rounded. */
#define HAS_EXP 1
#define HOLDS_FLOAT64 0

typedef float num;  /* what is stored */
typedef float wide; /* what products are summed in */

static const num ONE = 1.0f;

static wide mul(num a, num b) { return a * b; }
static wide widen(num a) { return a; }
static num narrow(wide a) { return a; }
static num divide(num a, num b) { return a / b; }
static num inverse_square(num a) { return 1.0f / (a * a); }
static num share(num a, long count) { return a / (float)count; }
static num exponential(num a) { return expf(a); }

/* From a number of the case, and back. */
static num number(const char *name, double x)
{
    if (!isfinite((float)x)) fail("%s: expected numbers within float32, got %g", name, x);
    return (num)x;
}
static num events(const char *name, double x) { return number(name, x); }
static double value(num a) { return a; }

/* Derived constants are computed in float64 and rounded once. */
static num complement(num a) { return (num)(1.0 - (double)a); }
static num inverse_complement(num a) { return (num)(1.0 / (1.0 - (double)a)); }
static num times_complement(num a, num b) { return (num)((1.0 - (double)a) * (double)b); }

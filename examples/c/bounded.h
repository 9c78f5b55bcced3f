/* Numbers with a bound on the error that an implementation makes when it computes them, for check.c: the operations of
 * decolle_ref/oracle/check/error_bounds.py, one function each.  docs/oracle.md explains the profile.
 */
#define HAS_EXP 1
#define HOLDS_FLOAT64 1

typedef double num; /* the numbers of a case, which double holds exactly */
typedef struct {
    num v, e; /* a value, and the largest error of an implementation that computes it */
} Bounded;

static const num ONE = 1;
static num number(const char *name, double x) { return (void)name, x; }
static num events(const char *name, double x) { return (void)name, x; }
static num value(num a) { return a; }

/* ---- The profile ---- */

static struct {
    int fixed, bits;                 /* fixed point; the bits of a significand */
    double smallest, unit, tiny;     /* the smallest normal number; |fl(z) - z| <= unit |z| + tiny */
    double sums, factors;            /* the units of sums and of factors of products, if of another format */
    double quantum, step, low, high; /* of fixed point: one quantum, one rounding, the limits */
    double ulps;                     /* the largest error of sigma, in units of the last place of 1 */
} own = {0};
static const double U64 = 0x1p-53; /* values are computed in float64 themselves */

enum { FLOAT64, FLOAT32, BFLOAT16, FLOAT16, FIXED, TF32 };
static const char *const FORMATS[] = {"float64", "float32", "bfloat16", "float16", "fixed", NULL};
static const char *const ACCUMULATES[] = {"float64", "float32", "", NULL};
static const char *const PRODUCTS[] = {"", "tf32", "bfloat16", "float16", NULL};
static const char *const ROUNDINGS[] = {"nearest", "floor", "stochastic", NULL}, *const LEVELS[] = {"L2", NULL};
static const int BITS[] = {53, 24, 8, 11, 0, 11};

static double unit_of(int format) { return ldexp(1, -BITS[format]); }

static void read_profile(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL) *slash = '\0';
    const char *p = blank(slash == NULL ? read_text(".", path) : read_text(path, slash + 1));
    known_keys(p, " name format accumulate products flush sigma_ulps integer_bits fraction_bits rounding level"
                  " lfsr_taps lfsr_seed ");
    static const char *const flushes[] = {"false", "true", NULL};
    const int format = json_choice(p, "format", FORMATS, FLOAT32), sums = json_choice(p, "accumulate", ACCUMULATES, 2);
    const int products = json_choice(p, "products", PRODUCTS, 0), rounding = json_choice(p, "rounding", ROUNDINGS, 0);
    json_choice(p, "level", LEVELS, 0);
    own.ulps = json_number(p, "sigma_ulps", 4);
    own.fixed = format == FIXED;
    own.low = -INFINITY, own.high = INFINITY;
    own.sums = sums < 2 ? unit_of(sums) + U64 : 0;
    own.factors = products > 0 ? unit_of(products == 1 ? TF32 : products == 2 ? BFLOAT16 : FLOAT16) : 0;
    if (own.fixed) {
        own.quantum = ldexp(1, -(int)json_integer(p, "fraction_bits", 1, 52, 16));
        own.high = ldexp(1, (int)json_integer(p, "integer_bits", 1, 52, 8)) - own.quantum;
        own.low = -own.high - own.quantum;
        own.step = (rounding > 0 ? 1 : 0.5) * own.quantum;
        own.unit = U64;
    } else {
        own.bits = BITS[format];
        own.smallest = format == FLOAT64 ? 0x1p-1022 : format == FLOAT16 ? 0x1p-14 : 0x1p-126;
        own.unit = unit_of(format) + U64;
        own.tiny = own.smallest * (json_choice(p, "flush", flushes, 0) ? 1 : unit_of(format));
    }
}

/* Whether the profile's format has this number. */
static int is_held(double x)
{
    int exponent;
    if (own.fixed) return x == floor(x / own.quantum) * own.quantum && x >= own.low && x <= own.high;
    frexp(fmax(fabs(x), own.smallest), &exponent);
    return fmod(x, ldexp(1, exponent - own.bits)) == 0 && fabs(x) <= (2 - ldexp(1, 1 - own.bits)) * (2 / own.smallest);
}

/* ---- Operations ---- */

static double clip(double v, double low, double high) { return v < low ? low : v > high ? high : v; }
static Bounded exact(double v) { return (Bounded){v, 0}; }
static Bounded negative(Bounded a) { return (Bounded){-a.v, a.e}; }

/* The result of one operation; e is the error that the operands' errors cause. */
static Bounded rounded(double v, double e)
{
    return (Bounded){clip(v, own.low, own.high), e + own.unit * (fabs(v) + e) + own.tiny + own.step};
}

static Bounded plus(Bounded a, Bounded b)
{
    double v = a.v + b.v, e = a.e + b.e;
    return own.fixed ? (Bounded){clip(v, own.low, own.high), e + U64 * fabs(v)} : rounded(v, e);
}

static Bounded minus(Bounded a, Bounded b) { return plus(a, negative(b)); }

static Bounded times(Bounded a, Bounded b) { return rounded(a.v * b.v, fabs(a.v) * b.e + fabs(b.v) * a.e + a.e * b.e); }

static Bounded over(Bounded a, Bounded b)
{
    double v = a.v / b.v, room = fabs(b.v) - b.e;
    if (!(room > 0)) fail("divide: expected a divisor that is not 0 within its error, got one that may be");
    return rounded(v, (a.e + fabs(v) * b.e) / room);
}

static Bounded larger(Bounded a, Bounded b)
{
    double gap = a.v - b.v, both = a.e + b.e;
    return (Bounded){fmax(a.v, b.v), gap > both ? a.e : -gap > both ? b.e : fmax(a.e, b.e)};
}

/* A constant that the implementation derives by so many operations. */
static Bounded derived(double v, double roundings)
{
    return (Bounded){v, roundings * (own.unit * fabs(v) + own.tiny + own.step)};
}

static Bounded hull(double low, double high)
{
    double v = low + (high - low) / 2;
    return (Bounded){v, fmax(fabs(high - v), fabs(v - low))};
}

/* x plus the declared error of sigma and sigma'. */
static Bounded declared(Bounded x)
{
    x.e += own.ulps * (own.fixed ? own.quantum : 2 * own.unit) * fmax(fabs(x.v) + x.e, 1) + own.tiny;
    return x;
}

/* A sum of a few numbers in any order. */
static Bounded gathered(const Bounded *terms, int count)
{
    double v = 0, e = 0, size = 0, n = count - 1;
    for (int k = 0; k < count; k++) v += terms[k].v, e += terms[k].e, size += fabs(terms[k].v);
    if (own.fixed) return (Bounded){clip(v, own.low, own.high), e + U64 * size};
    return (Bounded){v, (e + n * own.unit * (size + e)) * pow(1 + own.unit, n) + n * own.tiny};
}

/* A sum of so many terms, which are products or plain numbers, whose magnitudes add up to size; and `count` more. */
static Bounded total(Bounded sum, double size, double terms, int products, const Bounded *more, int count)
{
    double v = sum.v, e = sum.e, between = count > 0 ? fabs(v) : 0, n = terms + count + 1;
    const double off = products ? (2 * own.factors + own.factors * own.factors) * size : 0;
    const double unit = own.sums > 0 ? own.sums : own.unit, gamma = n * unit / (1 - n * unit);
    if (count == 2) between += fmax(fabs(v + more[0].v), fmax(fabs(v + more[1].v), fabs(more[0].v + more[1].v)));
    for (int k = 0; k < count; k++) v += more[k].v, size += fabs(more[k].v) + more[k].e, e += more[k].e;
    if (own.fixed) {
        e += (products ? terms * own.step : 0) + (terms + count) * U64 * size;
        return (Bounded){clip(v, own.low, own.high), e + fmax(size + terms * own.step - own.high, 0)};
    }
    if (n * unit >= 1) fail("profile: expected wider sums for %.0f terms (accumulate)", n - 1);
    e += off + gamma * (size + off) + n * own.tiny;
    if (own.sums == 0) return (Bounded){v, e + U64 * fabs(v)};
    return rounded(v, (e + own.unit * between + count * own.tiny) * pow(1 + own.unit, count));
}

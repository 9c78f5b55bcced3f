/* The equations of check.c, one function each: entry i of a series at step t, with its bound.
 * They share nothing with equations.h, so that a mistake there cannot hide itself.
 */
enum { END_Q, END_P, END_R, END_M_W, END_U_W, END_M_B, END_U_B, ENDS };

typedef struct {
    const Case *of;
    const Layer *L;
    const num *S_in;           /* the input, or the spikes of the layer below */
    num *x[SERIES], *last[2];  /* the series of the trace, time first; the final W and b */
    num *end[ENDS];            /* the state and Adamax's m and u after the last step, where they are shown */
    int k;
} Shown;

/* ---- Surrogates ---- */

static double sigma(int surrogate, double x)
{
    const double m = fabs(x), z = exp(-m), near = m < 1 ? m : 1, side = x < 0 ? -1 : 1;
    if (surrogate == LOGISTIC) return (x < 0 ? z : 1) / (1 + z);
    if (surrogate == FAST_SIGMOID) return 0.5 + x / (1 + m);
    if (surrogate == FAST_SIGMOID_10) return 0.5 + x / (1 + 10 * m);
    if (surrogate == PIECEWISE_LINEAR) return 0.5 + side * near * (1 - near / 2);
    if (surrogate == EXPONENTIAL) return 0.5 + side * (1 - z);
    return x <= -0.5 ? 0 : x <= 0.5 ? x + 0.5 : 1;
}

static double slope(int surrogate, double x)
{
    const double m = fabs(x), z = exp(-m), s = surrogate == FAST_SIGMOID_10 ? 10 : 1;
    if (surrogate == LOGISTIC) return z / ((1 + z) * (1 + z));
    if (surrogate == PIECEWISE_LINEAR) return m < 1 ? 1 - m : 0;
    if (surrogate == EXPONENTIAL) return z;
    if (surrogate == BOXCAR) return x > -0.5 && x <= 0.5;
    return 1 / ((1 + s * m) * (1 + s * m));
}

/* sigma never falls, so it lies between its values at the ends of an interval. */
static Bounded sigma_of(int surrogate, Bounded u)
{
    return declared(hull(sigma(surrogate, u.v - u.e), sigma(surrogate, u.v + u.e)));
}

/* sigma' is largest where u is nearest to 0, and smallest at an end. */
static Bounded slope_of(int surrogate, Bounded u)
{
    const double low = u.v - u.e, high = u.v + u.e;
    return declared(hull(fmin(slope(surrogate, low), slope(surrogate, high)), slope(surrogate, clip(0, low, high))));
}

/* ---- The neuron: entry i of (batch, width) at step t ---- */

/* decay x + g in, where the implementation derives the gain g from the decay */
static Bounded filtered(const Case *of, double decay, double x, double in)
{
    const Bounded one = exact(1), leak = minus(one, exact(decay));
    const int gains = of->dialect.gains;
    const Bounded gain = gains == GAINS_ONE ? one : gains == GAINS_LEAK ? leak : over(one, leak);
    return plus(times(exact(decay), exact(x)), times(gain, exact(in)));
}

/* The series one step before; at the first step, the state from which the case starts. */
static double before(const Shown *s, int series, const num *start, long width, long t, long i)
{
    return t > 0 ? s->x[series][(t - 1) * s->of->batch * width + i] : start[i];
}

static Bounded Q(const Shown *s, long t, long i)
{
    const long n_in = s->L->n_in, now = s->of->dialect.new_P ? t : t - 1;
    const double x = before(s, OF_Q, s->L->Q, n_in, t, i);
    return now < 0 ? exact(x) : filtered(s->of, s->L->beta[i % n_in], x, s->S_in[now * s->of->batch * n_in + i]);
}

static Bounded P(const Shown *s, long t, long i)
{
    const long n_in = s->L->n_in;
    const double x = before(s, OF_P, s->L->P, n_in, t, i), old_Q = before(s, OF_Q, s->L->Q, n_in, t, i);
    const num *Q = t < s->of->steps ? s->x[OF_Q] + t * s->of->batch * n_in : s->end[END_Q];
    const double in = s->of->dialect.new_Q ? Q[i] : old_Q;
    return t == 0 && !s->of->dialect.new_P ? exact(x) : filtered(s->of, s->L->alpha[i % n_in], x, in);
}

static int fires(const Shown *s, double u) { return s->of->dialect.above ? u > 0 : u >= 0; }

static Bounded R(const Shown *s, long t, long i)
{
    const double x = before(s, OF_R, s->L->R, s->L->n, t, i);
    if (t == 0) return exact(x);
    const double S = fires(s, s->x[OF_U][(t - 1) * s->of->batch * s->L->n + i]);
    return plus(times(exact(s->L->gamma[i % s->L->n]), exact(x)), exact(S));
}

/* W or b at step t, as U read it */
static const num *weights(const Shown *s, int series, long t)
{
    const long size = series == OF_W ? (long)s->L->channels * s->L->fan_in : s->L->channels;
    return s->x[series] != NULL ? s->x[series] + t * size : series == OF_W ? s->L->W : s->L->b;
}

static Bounded U(const Shown *s, long t, long i)
{
    const Layer *L = s->L;
    const long neuron = i % L->n, channel = neuron / L->places;
    const num *W = weights(s, OF_W, t) + channel * L->fan_in, *P = s->x[OF_P] + (t * s->of->batch + i / L->n) * L->n_in;
    const int *inputs = L->inputs + neuron % L->places * L->fan_in, refractory = s->of->dialect.refractory;
    Bounded gamma = exact(L->gamma[neuron]), delta = exact(L->w[neuron]), sum = exact(0);
    if (refractory == DELTA_LEAK_W) gamma = minus(exact(1), gamma);
    if (refractory != DELTA_W) delta = times(gamma, delta);
    double size = 0;
    for (int k = 0; k < L->fan_in; k++)
        if (inputs[k] >= 0) sum.v += W[k] * P[inputs[k]], size += fabs(W[k] * P[inputs[k]]);
    const Bounded back = times(delta, exact(s->x[OF_R][t * s->of->batch * L->n + i]));
    const Bounded more[] = {exact(weights(s, OF_B, t)[channel]), negative(back)};
    return total(sum, size, L->fan_in, 1, more, 2);
}

/* Neuron m of window v, in reading order. */
static long in_window(const Layer *L, long v, long m)
{
    const long p = L->pool, columns = L->width / p, rows = L->height / p;
    return (v / (rows * columns) * L->height + v / columns % rows * p + m / p) * L->width + v % columns * p + m % p;
}

/* Whether neuron m may win window v: its key is U, or sigma(U) within its error; of equal keys the first one wins. */
static int may_win(const Shown *s, const num *U, long v, long m)
{
    const Layer *L = s->L;
    const double x = U[in_window(L, v, m)];
    for (long j = 0; j < L->pool * L->pool; j++) {
        const double y = U[in_window(L, v, j)];
        if (j < m ? y == x : 0) return 0;
        if (!s->of->dialect.pool_S && y > x) return 0;
        if (!s->of->dialect.pool_S) continue;
        const Bounded a = sigma_of(L->surrogate, exact(x)), b = sigma_of(L->surrogate, exact(y));
        if (a.v + a.e < b.v - b.e || (j < m && a.v + a.e <= b.v - b.e)) return 0;
    }
    return 1;
}

/* The U that window v of sample b transmits; an interval where several neurons may have won. */
static Bounded transmitted(const Shown *s, long t, long b, long v)
{
    const num *U = s->x[OF_U] + (t * s->of->batch + b) * s->L->n;
    double low = INFINITY, high = -INFINITY;
    if (s->L->pool == 1) return exact(U[v]);
    for (long m = 0; m < s->L->pool * s->L->pool; m++) {
        const double x = U[in_window(s->L, v, m)];
        if (may_win(s, U, v, m)) low = fmin(low, x), high = fmax(high, x);
    }
    return hull(low, high);
}

static Bounded S(const Shown *s, long t, long i)
{
    const Bounded u = transmitted(s, t, i / s->L->n_read, i % s->L->n_read);
    const int low = fires(s, u.v - u.e), high = fires(s, u.v + u.e);
    return exact(low == high ? low : rint(clip(s->x[OF_S][t * s->of->batch * s->L->n_read + i], 0, 1)));
}

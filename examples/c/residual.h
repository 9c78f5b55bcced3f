/* The equations of check.c, one function each: entry i of a series at step t from the trace's own numbers, with a bound.
 * They share nothing with equations.h, so that a mistake there cannot hide itself.
 */
typedef struct {
    const Case *of;
    const Layer *L;
    const num *S_in;           /* the input, or the spikes of the layer below */
    num *x[SERIES], *last[2];  /* the series of the trace, time first; the final W and b */
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
    const double in = s->of->dialect.new_Q ? s->x[OF_Q][t * s->of->batch * n_in + i] : old_Q;
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

/* The neuron whose U window v of a sample transmits: the first with the largest U, or sigma(U). */
static long winner(const Layer *L, const Dialect *d, long v, const num *U)
{
    const long p = L->pool, columns = L->width / p, rows = L->height / p;
    const long corner = (v / (rows * columns) * L->height + v / columns % rows * p) * L->width + v % columns * p;
    long best = corner;
    for (long m = 1; m < p * p; m++) {
        const long i = corner + m / p * L->width + m % p;
        const int more = d->pool_S ? sigma(L->surrogate, U[i]) > sigma(L->surrogate, U[best]) : U[i] > U[best];
        if (more) best = i;
    }
    return best;
}

static double transmitted(const Shown *s, long t, long b, long v)
{
    const num *U = s->x[OF_U] + (t * s->of->batch + b) * s->L->n;
    return U[winner(s->L, &s->of->dialect, v, U)];
}

static Bounded S(const Shown *s, long t, long i)
{
    return exact(fires(s, transmitted(s, t, i / s->L->n_read, i % s->L->n_read)));
}

/* ---- The readout, its error and the way back ---- */

/* x of output or transmitted neuron i, times its factor of dropout */
static Bounded dropped(const Shown *s, int after_G, long t, long b, long i, Bounded x)
{
    const long width = after_G ? s->L->n_out : s->L->n_read;
    if (s->L->mask == NULL || s->of->dialect.after_G != after_G) return x;
    return times(exact(s->L->mask[(t * s->of->batch + b) * width + i]), x);
}

static Bounded Y(const Shown *s, long t, long i)
{
    const Layer *L = s->L;
    const long b = i / L->n_out, k = i % L->n_out;
    const num *G = L->G + k * L->n_read, *spikes = s->x[OF_S] + (t * s->of->batch + b) * L->n_read;
    Bounded sum = exact(0), c = exact(L->c[k]);
    double size = 0;
    for (long v = 0; v < L->n_read; v++) {
        Bounded a = s->of->dialect.spikes ? exact(spikes[v]) : function(sigma(L->surrogate, transmitted(s, t, b, v)));
        a = dropped(s, 0, t, b, v, a);
        sum.v += G[v] * a.v, sum.e += fabs(G[v]) * a.e, size += fabs(G[v]) * (fabs(a.v) + a.e);
    }
    return dropped(s, 1, t, b, k, total(sum, size, (double)L->n_read, 1, &c, 1));
}

/* softmax(Y)_k (sum of the target) - target_k */
static Bounded softmax_error(const Layer *L, const num *Y, const num *target, long k)
{
    const double K = L->n_out, ulps = own.ulps;
    double most = Y[0], sum = 0, mass = 0, size = 0;
    for (long m = 1; m < L->n_out; m++) most = fmax(most, Y[m]);
    for (long m = 0; m < L->n_out; m++) sum += exp(Y[m] - most), mass += target[m], size += fabs(target[m]);
    const double p = exp(Y[k] - most) / sum;
    const double spread = 2 * fabs(Y[k] - most) + 2 * log(K) + K + 4 + 2 * ulps * (1 + fmax(1, log(K)));
    double e = p * spread * (own.unit + own.step) + own.tiny + own.step;
    if (own.fixed) e += ulps * own.quantum * (1 + p * (K + log(K) + 1));
    return minus(times((Bounded){p, e}, total(exact(mass), size, K, 0, NULL, 0)), exact(target[k]));
}

static Bounded e(const Shown *s, long t, long i)
{
    const Layer *L = s->L;
    const long row = t * s->of->batch * L->n_out + i, start = row - i % L->n_out;
    Bounded d = minus(exact(s->x[OF_Y][row]), exact(L->target[row]));
    if (L->loss == SMOOTH_L1) d.v = clip(d.v, -1, 1);
    if (L->loss == CROSS_ENTROPY) d = softmax_error(L, s->x[OF_Y] + start, L->target + start, i % L->n_out);
    const double share = 1.0 / (double)(s->of->batch * (L->loss == CROSS_ENTROPY ? 1 : L->n_out));
    return L->mean ? times(d, derived(share, 1)) : d;
}

/* x where it is certain, else 0; where that is undecided, the bound covers both */
static Bounded where(int condition, int undecided, Bounded x)
{
    return (Bounded){condition ? x.v : 0, (condition ? x.e : 0) + (undecided ? fabs(x.v) + x.e : 0)};
}

/* dL/du of the regularisers for one of the u of step t: those of the pool's winners, or all U. */
static void penalties(const Shown *s, long t, long b, double u, int pooled, Bounded terms[2])
{
    const Layer *L = s->L;
    const long count = pooled ? L->n_read : L->n, rows = L->membrane ? 1 : s->of->batch, N = s->of->batch * count;
    const double lambda1 = pooled && L->unpooled ? 0 : L->lambda1, lambda2 = pooled ? L->lambda2 : 0;
    const Bounded share = derived(1.0 / (double)N, 1), edge = derived(0.01, 1), goal = derived(0.1, 1);
    Bounded below = times(derived(-lambda2, 1), share), mean = exact(0);
    double size = 0;
    for (long m = 0; m < rows * count; m++) {
        const long sample = L->membrane ? b : m / count, v = m % count;
        const num *U = s->x[OF_U] + (t * s->of->batch + sample) * L->n;
        const double x = pooled ? transmitted(s, t, sample, v) : U[v];
        const Bounded a = L->membrane ? exact(x) : function(sigma(L->rate, x));
        mean.v += a.v, mean.e += a.e, size += fabs(a.v) + a.e;
    }
    mean = times(total(mean, size, (double)(rows * count), 0, NULL, 0), derived(1.0 / (double)(rows * count), 1));
    if (!L->membrane) below = times(below, function(slope(L->rate, u)));
    terms[0] = where(u + 0.01 > 0, !(fabs(u + 0.01) > edge.e + U64), times(derived(lambda1, 1), share));
    terms[1] = where(mean.v < 0.1, !(fabs(mean.v - 0.1) > mean.e + goal.e + U64), below);
}

static Bounded delta(const Shown *s, long t, long i)
{
    const Layer *L = s->L;
    const long b = i / L->n, neuron = i % L->n, rows = L->height / L->pool, columns = L->width / L->pool;
    const long y = neuron / L->width % L->height / L->pool, x = neuron % L->width / L->pool;
    const long v = (neuron / L->places * rows + y) * columns + x;
    const num *U = s->x[OF_U] + (t * s->of->batch + b) * L->n, *e = s->x[OF_E] + (t * s->of->batch + b) * L->n_out;
    const int regularised = L->lambda1 > 0 || L->lambda2 > 0;
    Bounded sum = exact(0), terms[3];
    if (y < rows && x < columns && winner(L, &s->of->dialect, v, U) == neuron) {
        double size = 0;
        for (long k = 0; k < L->n_out; k++) {
            const Bounded back = dropped(s, 1, t, b, k, exact(e[k]));
            const double G = L->G[k * L->n_read + v];
            sum.v += G * back.v, sum.e += fabs(G) * back.e, size += fabs(G) * (fabs(back.v) + back.e);
        }
        sum = dropped(s, 0, t, b, v, total(sum, size, L->n_out, 1, NULL, 0));
        sum = terms[0] = times(sum, function(slope(L->surrogate, U[neuron])));
        if (regularised) penalties(s, t, b, U[neuron], 1, terms + 1), sum = gathered(terms, 3);
    }
    terms[0] = sum;
    if (regularised && L->unpooled) penalties(s, t, b, U[neuron], 0, terms + 1), sum = gathered(terms, 3);
    return sum;
}

/* ---- Learning ---- */

/* dL/dW or dL/db: a sum over the batch and over the places that share the weight */
static Bounded gradient(const Shown *s, long t, long channel, long k, int of_W)
{
    const Layer *L = s->L;
    Bounded sum = exact(0);
    double size = 0;
    for (long b = 0; b < s->of->batch; b++)
        for (long place = 0; place < L->places; place++) {
            const long row = t * s->of->batch + b, j = of_W ? L->inputs[place * L->fan_in + k] : 0;
            const double P = !of_W ? 1 : j < 0 ? 0 : s->x[OF_P][row * L->n_in + j];
            const double term = s->x[OF_DELTA][row * L->n + channel * L->places + place] * P;
            sum.v += term, size += fabs(term);
        }
    return total(sum, size, (double)(s->of->batch * L->places), of_W, NULL, 0);
}

static Bounded dW(const Shown *s, long t, long i) { return gradient(s, t, i / s->L->fan_in, i % s->L->fan_in, 1); }
static Bounded db(const Shown *s, long t, long i) { return gradient(s, t, i, 0, 0); }

typedef struct {
    Bounded m, u;
    long updates;
} Moments;

/* lr g, or Adamax's (lr / (1 - beta1^t)) m / u; replaces the moments by the new ones */
static Bounded change(const Case *of, Bounded lr, double g, Moments *moments)
{
    const Bounded one = exact(1), beta1 = derived(of->beta1, 1);
    if (!of->adamax) return times(lr, exact(g));
    const double t = (double)++moments->updates;
    const Bounded kept = times(derived(of->beta2, 1), moments->u), now = plus(exact(fabs(g)), derived(of->eps, 1));
    const Bounded mean = plus(times(beta1, moments->m), times(minus(one, beta1), exact(g)));
    const Bounded correction = over(one, minus(one, derived(pow(of->beta1, t), 2 * t)));
    moments->m = of->beta1 == 0 ? exact(g) : mean;
    moments->u = larger(kept, now);
    return times(times(lr, of->beta1 == 0 ? one : correction), over(moments->m, moments->u));
}

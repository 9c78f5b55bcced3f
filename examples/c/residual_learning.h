/* The equations of check.c from the readout to the updates, in the form of those in residual.h. */

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
        Bounded a = s->of->dialect.spikes ? exact(spikes[v]) : sigma_of(L->surrogate, transmitted(s, t, b, v));
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
static void penalties(const Shown *s, long t, long b, Bounded u, int pooled, Bounded terms[2])
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
        const Bounded x = pooled ? transmitted(s, t, sample, v) : exact(U[v]);
        const Bounded a = L->membrane ? x : sigma_of(L->rate, x);
        mean.v += a.v, mean.e += a.e, size += fabs(a.v) + a.e;
    }
    mean = times(total(mean, size, (double)(rows * count), 0, NULL, 0), derived(1.0 / (double)(rows * count), 1));
    if (!L->membrane) below = times(below, slope_of(L->rate, u));
    terms[0] = where(u.v + 0.01 > 0, !(fabs(u.v + 0.01) > u.e + edge.e + U64), times(derived(lambda1, 1), share));
    terms[1] = where(mean.v < 0.1, !(fabs(mean.v - 0.1) > mean.e + goal.e + U64), below);
}

/* delta of window v, for the neuron that wins it */
static Bounded delta_of_window(const Shown *s, long t, long b, long v)
{
    const Layer *L = s->L;
    const num *e = s->x[OF_E] + (t * s->of->batch + b) * L->n_out;
    const Bounded u = transmitted(s, t, b, v);
    Bounded sum = exact(0), terms[3];
    double size = 0;
    for (long k = 0; k < L->n_out; k++) {
        const Bounded back = dropped(s, 1, t, b, k, exact(e[k]));
        const double G = L->G[k * L->n_read + v];
        sum.v += G * back.v, sum.e += fabs(G) * back.e, size += fabs(G) * (fabs(back.v) + back.e);
    }
    sum = dropped(s, 0, t, b, v, total(sum, size, L->n_out, 1, NULL, 0));
    terms[0] = times(sum, slope_of(L->surrogate, u));
    if (L->lambda1 == 0 && L->lambda2 == 0) return terms[0];
    penalties(s, t, b, u, 1, terms + 1);
    return gathered(terms, 3);
}

static Bounded delta(const Shown *s, long t, long i)
{
    const Layer *L = s->L;
    const long b = i / L->n, neuron = i % L->n, p = L->pool, rows = L->height / p, columns = L->width / p;
    const long y = neuron / L->width % L->height, x = neuron % L->width;
    const num *U = s->x[OF_U] + (t * s->of->batch + b) * L->n;
    Bounded terms[3] = {exact(0)};
    if (y / p < rows && x / p < columns) {
        const long v = (neuron / L->places * rows + y / p) * columns + x / p;
        int wins = may_win(s, U, v, y % p * p + x % p), winners = 0;
        for (long m = 0; wins && m < p * p; m++) winners += may_win(s, U, v, m);
        if (wins) terms[0] = delta_of_window(s, t, b, v);
        if (winners > 1) terms[0] = hull(fmin(terms[0].v - terms[0].e, 0), fmax(terms[0].v + terms[0].e, 0));
    }
    if (!L->unpooled || (L->lambda1 == 0 && L->lambda2 == 0)) return terms[0];
    penalties(s, t, b, exact(U[neuron]), 0, terms + 1);
    return gathered(terms, 3);
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

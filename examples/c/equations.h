/* The equations, one function each, in the arithmetic of float32.h or fixed.h. */

/* ---- Constants ---- */

/* g = 1, 1 - decay, or 1 / (1 - decay) */
static num gain(int gains, num decay)
{
    return gains == GAINS_ONE ? ONE : gains == GAINS_LEAK ? complement(decay) : inverse_complement(decay);
}

/* delta = w, gamma w, or (1 - gamma) w */
static num refractory_strength(int refractory, num gamma, num w)
{
    if (refractory == DELTA_LEAK_W) return times_complement(gamma, w);
    return refractory == DELTA_W ? w : narrow(mul(gamma, w));
}

static void derive(const Dialect *d, Layer *L)
{
    for (int j = 0; j < L->n_in; j++) L->gain_Q[j] = gain(d->gains, L->beta[j]);
    for (int j = 0; j < L->n_in; j++) L->gain_P[j] = gain(d->gains, L->alpha[j]);
    for (int i = 0; i < L->n; i++) L->delta_R[i] = refractory_strength(d->refractory, L->gamma[i], L->w[i]);
}

/* ---- The neuron ---- */

/* Q[n+1] = beta Q[n] + g_Q S_in[n];  P[n+1] = alpha P[n] + g_P Q */
static num filtered(num decay, num x, num gain, num input) { return narrow(mul(decay, x) + mul(gain, input)); }

/* U_i = sum_j W_ij P_j + b_i - delta_i R_i */
static num membrane(const Layer *L, int i, const num *P, const num *R)
{
    const num *W = L->W + (long)(i / L->places) * L->fan_in;
    const int *inputs = L->inputs + (long)(i % L->places) * L->fan_in;
    wide sum = 0;
    for (int k = 0; k < L->fan_in; k++)
        if (inputs[k] >= 0) sum += mul(W[k], P[inputs[k]]);
    return narrow(sum + widen(L->b[i / L->places]) - mul(L->delta_R[i], R[i]));
}

/* S = 1 if U >= 0, or U > 0, else 0 */
static num spike(const Dialect *d, num U) { return (d->above ? U > 0 : U >= 0) ? ONE : 0; }

/* R[n+1] = gamma R[n] + S[n] */
static num refractory(num gamma, num R, num S) { return narrow(mul(gamma, R) + widen(S)); }

/* ---- Surrogates ---- */

static num magnitude(num x) { return x < 0 ? -x : x; }

/* sigma(x), with sigma(0) = 1/2 */
static num sigma(int surrogate, num x)
{
    const num half = ONE / 2, m = magnitude(x);
    if (surrogate == LOGISTIC) /* 1 / (1 + exp(-x)) */
        return divide(x < 0 ? exponential(-m) : ONE, ONE + exponential(-m));
    if (surrogate == BOXCAR) /* clip(x + 1/2, 0, 1) */
        return x <= -half ? 0 : x <= half ? x + half : ONE;
    if (surrogate == PIECEWISE_LINEAR) { /* 1/2 +- |x| (1 - |x|/2) */
        num rise = m < ONE ? narrow(mul(m, 2 * ONE - m) / 2) : half;
        return x < 0 ? half - rise : half + rise;
    }
    if (surrogate == EXPONENTIAL) /* 1/2 +- (1 - exp(-|x|)) */
        return x < 0 ? half - (ONE - exponential(-m)) : half + (ONE - exponential(-m));
    return half + divide(x, ONE + (surrogate == FAST_SIGMOID_10 ? 10 : 1) * m); /* 1/2 + x / (1 + s |x|) */
}

/* sigma'(x) */
static num sigma_slope(int surrogate, num x)
{
    const num half = ONE / 2, m = magnitude(x);
    if (surrogate == LOGISTIC) { /* sigma(x) sigma(-x) = z / (1 + z)^2, z = exp(-|x|) */
        num z = exponential(-m);
        return divide(z, narrow(mul(ONE + z, ONE + z)));
    }
    if (surrogate == BOXCAR) return x > -half && x <= half ? ONE : 0; /* 1 for -1/2 < x <= 1/2 */
    if (surrogate == PIECEWISE_LINEAR) return m < ONE ? ONE - m : 0;  /* max(0, 1 - |x|) */
    if (surrogate == EXPONENTIAL) return exponential(-m);             /* exp(-|x|) */
    return inverse_square(ONE + (surrogate == FAST_SIGMOID_10 ? 10 : 1) * m); /* 1 / (1 + s |x|)^2 */
}

/* ---- Pooling ---- */

/* The neuron of window v with the largest rank; ties go to the first in reading order.  If pool = 1 it is v itself. */
static int winner(const Layer *L, int v, const num *rank)
{
    const int columns = L->width / L->pool, rows = L->height / L->pool;
    const int channel = v / (rows * columns), y = v / columns % rows * L->pool, x = v % columns * L->pool;
    int best = (channel * L->height + y) * L->width + x;
    for (int m = 1; m < L->pool * L->pool; m++) {
        int i = (channel * L->height + y + m / L->pool) * L->width + x + m % L->pool;
        if (rank[i] > rank[best]) best = i;
    }
    return best;
}

/* ---- The readout and its error ---- */

/* x times a factor of dropout, if the case has any */
static num dropped(const num *mask, int i, num x) { return mask == NULL ? x : narrow(mul(mask[i], x)); }

/* Y_k = sum_v G_kv a_v + c_k, where a = sigma(U) or S, and dropout multiplies a or Y */
static num readout(const Layer *L, int k, const num *activity, const num *mask_Y)
{
    wide sum = 0;
    for (int v = 0; v < L->n_read; v++) sum += mul(L->G[(long)k * L->n_read + v], activity[v]);
    return dropped(mask_Y, k, narrow(sum + widen(L->c[k])));
}

/* e = dLoss/dY: d = Y - target, or clip(d, -1, 1); over B n_out where the loss is a mean */
static num error(const Layer *L, num Y, num target, long batch)
{
    num d = narrow(widen(Y) - widen(target));
    if (L->loss == SMOOTH_L1) d = d > ONE ? ONE : d < -ONE ? -ONE : d;
    return L->mean ? share(d, batch * L->n_out) : d;
}

/* Cross-entropy: e = softmax(Y) (sum_k target_k) - target; over B where the loss is a mean */
static void softmax_error(const Layer *L, const num *Y, const num *target, long batch, num *e)
{
    num most = Y[0], total = 0, mass = 0;
    for (int k = 1; k < L->n_out; k++) most = Y[k] > most ? Y[k] : most; /* so that exp cannot overflow */
    for (int k = 0; k < L->n_out; k++) total += exponential(Y[k] - most), mass += target[k];
    for (int k = 0; k < L->n_out; k++) {
        num p = divide(exponential(Y[k] - most), total), d = narrow(mul(p, mass) - widen(target[k]));
        e[k] = L->mean ? share(d, batch) : d;
    }
}

/* <activity>: the mean of the rate of U over neurons and batch, or of U over the neurons of sample b */
static num mean_activity(const Layer *L, long b, long batch)
{
    const long first = L->membrane ? b : 0, last = L->membrane ? b + 1 : batch;
    wide sum = 0;
    for (long v = first * L->n_read; v < last * L->n_read; v++) {
        num U = L->U[v / L->n_read * L->n + L->winner[v]];
        sum += widen(L->membrane ? U : sigma(L->rate, U));
    }
    return share(narrow(sum), (last - first) * L->n_read);
}

/* d/dU of lambda1 <relu(U + 0.01)>, before N */
static num loud(const Layer *L, num U) { return U + number("0.01", 0.01) > 0 ? L->lambda1 : 0; }

/* d/dU of lambda1 <relu(U + 0.01)> + lambda2 relu(0.1 - <activity>); silent: <activity> < 0.1 */
static num penalty(const Layer *L, long batch, num U, int silent)
{
    const num above = L->unpooled ? 0 : loud(L, U), slope = L->membrane ? ONE : sigma_slope(L->rate, U);
    return share(above - (silent ? narrow(mul(L->lambda2, slope)) : 0), batch * L->n_read);
}

/* delta_i = (sum_k G_ki e_k) sigma'(U_i), with the factors of dropout before or after G */
static num error_signal(const Layer *L, int v, const num *e, num U, const num *mask_a, const num *mask_Y)
{
    wide sum = 0;
    for (int k = 0; k < L->n_out; k++) sum += mul(L->G[(long)k * L->n_read + v], dropped(mask_Y, k, e[k]));
    return narrow(mul(dropped(mask_a, v, narrow(sum)), sigma_slope(L->surrogate, U)));
}

/* ---- Learning ---- */

/* dL/dW_ij = sum over the batch, and over the places that share W, of delta_i P_j */
static num gradient_W(const Layer *L, long batch, int channel, int k, const num *P)
{
    wide sum = 0;
    for (long b = 0; b < batch; b++)
        for (int place = 0; place < L->places; place++) {
            int j = L->inputs[(long)place * L->fan_in + k];
            if (j >= 0) sum += mul(L->delta[b * L->n + channel * L->places + place], P[b * L->n_in + j]);
        }
    return narrow(sum);
}

/* dL/db_i = sum of delta_i over the same */
static num gradient_b(const Layer *L, long batch, int channel)
{
    wide sum = 0;
    for (long b = 0; b < batch; b++)
        for (int place = 0; place < L->places; place++)
            sum += widen(L->delta[b * L->n + channel * L->places + place]);
    return narrow(sum);
}

/* sgd: W <- W - lr g
 * adamax: m <- beta1 m + (1 - beta1) g;  u <- max(beta2 u, |g| + eps);  W <- W - (lr / (1 - beta1^t)) (m / u) */
static void update(const Case *of, num *W, num *m, num *u, num g, num lr)
{
    if (of->adamax) {
        const num beta1 = number("beta1", of->beta1);
        const num kept = narrow(mul(of->beta2, *u)), now = narrow(widen(magnitude(g)) + widen(of->eps));
        *m = narrow(mul(beta1, *m) + mul(ONE - beta1, g));
        *u = kept > now ? kept : now;
        g = divide(*m, *u);
        lr = divide(lr, number("beta1", 1 - pow(of->beta1, (double)of->updates + 1)));
    }
    *W = narrow(widen(*W) - mul(lr, g));
}

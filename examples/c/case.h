/* A case in memory: the choices of the dialect, and the layers with their arrays, state and optimiser state. */
enum { SQUARED_ERROR, SMOOTH_L1, CROSS_ENTROPY };
enum { LOGISTIC, FAST_SIGMOID_10, BOXCAR, FAST_SIGMOID, PIECEWISE_LINEAR, EXPONENTIAL };
enum { GAINS_ONE, GAINS_LEAK, GAINS_INVERSE };
enum { DELTA_W, DELTA_GAMMA_W, DELTA_LEAK_W };

static const char *const LOSSES[] = {"squared_error", "smooth_l1", "cross_entropy", NULL};
static const char *const NO_YES[] = {"false", "true", NULL}, *const ACTIVITIES[] = {"rate", "membrane", NULL};
static const char *const DTYPES[] = {"float32", "float64", NULL}, *const REDUCTIONS[] = {"sum", "mean", NULL};
static const char *const STARTS[] = {"rest", "given", NULL}, *const MEMORIES[] = {"fresh", "given", NULL};
static const char *const DROPOUTS[] = {"none", "given", NULL}, *const SCHEDULES[] = {"constant", "given", NULL};
static const char *const OPTIMISERS[] = {"sgd", "adamax", NULL};
static const char *const SURROGATES[] = {"logistic", "fast_sigmoid_10", "boxcar", "fast_sigmoid", "piecewise_linear",
                                         "exponential", NULL};

typedef struct {
    int new_Q, new_P, gains, refractory, above, surrogate, spikes, pool_S, logistic_rate, unpooled, after_G;
} Dialect;

static const char *const DIALECT_NAMES[] = {"paper", "dcll", "decolle", "decolle-base", "decolle-nonorm", NULL};
static const Dialect DIALECTS[] = {
    {0, 0, GAINS_ONE, DELTA_W, 0, LOGISTIC, 0, 0, 0, 0, 0},
    {1, 1, GAINS_INVERSE, DELTA_GAMMA_W, 1, LOGISTIC, 0, 1, 0, 1, 1},
    {0, 1, GAINS_LEAK, DELTA_LEAK_W, 1, FAST_SIGMOID_10, 1, 0, 1, 0, 0},
    {0, 1, GAINS_INVERSE, DELTA_W, 1, FAST_SIGMOID_10, 1, 0, 1, 0, 0},
    {0, 1, GAINS_ONE, DELTA_W, 0, BOXCAR, 1, 0, 1, 0, 0},
};

/* A dense layer is a convolution of an image of 1 x 1 places and n_in channels, with a kernel of 1 x 1. */
typedef struct {
    int n_in, n, n_out, conv;
    int height, width, channels, kernel; /* of the neurons' image; W is (channels, fan_in) */
    int places, fan_in, n_read, pool;    /* height width; weights per neuron; neurons the readout reads; window's side */
    int *inputs;                         /* (places, fan_in): the input of each weight, -1 for padding */
    int surrogate, loss, mean, membrane; /* membrane: lambda2 acts on U, else on the rate of U */
    int rate, unpooled;                  /* the surrogate of the rate; unpooled: lambda1 acts before the pool */
    num lambda1, lambda2;
    num *W, *b, *G, *c, *alpha, *beta, *gamma, *w, *target, *mask, *rate_W, *rate_b;
    num *gain_Q, *gain_P, *delta_R;                 /* they follow from the dialect */
    num *P, *Q, *R, *new_P, *new_Q;                 /* (batch, n_in), R: (batch, n) */
    num *U, *S, *Y, *e, *delta, *dW, *db;           /* of this step */
    num *activity, *rank, *m_W, *u_W, *m_b, *u_b;   /* the input of the readout, the pool's key, Adamax's m and u */
    int *winner;                                    /* (batch, n'): the winning neuron of each window */
} Layer;

typedef struct {
    const char *text, *folder;
    int dtype, targets, learn, given, adamax, memory, dropout, scheduled, count;
    long steps, batch, n, burn_in, updates;
    double beta1;
    num beta2, eps, *inputs, *schedule;
    Dialect dialect;
    Layer *layers;
} Case;

static num *numbers(double count) { return room(count, sizeof(num)); }

/* The array layer{k}_{letter}.npy, or {letter}.npy if k = 0, in the arithmetic of the program. */
static num *read_numbers(const Case *of, int k, const char *letter, const long shape[])
{
    char name[64], types[32];
    if (k > 0) snprintf(name, sizeof name, "layer%d_%s.npy", k, letter);
    else snprintf(name, sizeof name, "%s.npy", letter);
    snprintf(types, sizeof types, " <f%d %s", of->dtype ? 8 : 4, k > 0 ? "" : "|u1 <i4 <i8 |b1 ");
    double *x = read_array(of->folder, name, types, shape), count = count_of(shape);
    num *converted = numbers(count);
    for (size_t j = 0; j < (size_t)count; j++) converted[j] = k > 0 ? number(name, x[j]) : events(name, x[j]);
    free(x);
    return converted;
}

static Dialect read_dialect(const char *about)
{
    static const char *const read_Q[] = {"old_Q", "new_Q", NULL}, *const read_P[] = {"old_P", "new_P", NULL};
    static const char *const gains[] = {"one", "leak", "inverse", NULL}, *const reads[] = {"sigma", "spikes", NULL};
    static const char *const refractory[] = {"w", "gamma_w", "leak_w", NULL};
    static const char *const threshold[] = {"at_or_above", "above", NULL}, *const pools[] = {"pool_U", "pool_S", NULL};
    static const char *const rates[] = {"primitive", "logistic", NULL}, *const places[] = {"pooled", "unpooled", NULL};
    static const char *const drops[] = {"before_G", "after_G", NULL};
    const char *d = member(about, "dialect");
    if (d == NULL || *d != '{') return DIALECTS[json_choice(about, "dialect", DIALECT_NAMES, -1)];
    known_keys(d, " P_reads U_reads gains refractory threshold decay surrogate readout dropout pooling "
                  "regulariser_reads regulariser_place ");
    Dialect spelled = {
        json_choice(d, "P_reads", read_Q, -1), json_choice(d, "U_reads", read_P, -1),
        json_choice(d, "gains", gains, -1), json_choice(d, "refractory", refractory, -1),
        json_choice(d, "threshold", threshold, -1), json_choice(d, "surrogate", SURROGATES, -1),
        json_choice(d, "readout", reads, -1), json_choice(d, "pooling", pools, -1),
        json_choice(d, "regulariser_reads", rates, 0), json_choice(d, "regulariser_place", places, 0),
        json_choice(d, "dropout", drops, -1),
    };
    return spelled;
}

static int size(const char *object, const char *key, int otherwise)
{
    return (int)json_integer(object, key, 1, 1e6, otherwise);
}

/* The sizes of a layer, and the input of each weight at each place: stride y + r - padding, stride x + s - padding. */
static void read_geometry(Layer *L, const char *about)
{
    const char *conv = member(about, "conv");
    const char *in = conv != NULL ? conv : "{}"; /* dense: 1 x 1 places, 1 x 1 kernel */
    known_keys(in, " channels_in height width channels kernel stride padding ");
    L->conv = conv != NULL;
    L->n_in = size(about, "n_in", -1);
    L->n = size(about, "n", -1);
    L->n_out = size(about, "n_out", -1);
    L->channels = size(in, "channels", L->conv ? -1 : L->n);
    L->kernel = size(in, "kernel", L->conv ? -1 : 1);
    L->pool = size(about, "pool", 1);
    long channels_in = size(in, "channels_in", L->conv ? -1 : L->n_in), stride = size(in, "stride", 1);
    long high = size(in, "height", L->conv ? -1 : 1), wide_in = size(in, "width", L->conv ? -1 : 1);
    long padding = json_integer(in, "padding", 0, 1e6, 0), K = L->kernel;
    if (high + 2 * padding < K || wide_in + 2 * padding < K) fail("kernel: expected it to fit the image, got %ld", K);
    L->height = (int)((high + 2 * padding - K) / stride + 1);
    L->width = (int)((wide_in + 2 * padding - K) / stride + 1);
    if (L->pool > L->height || L->pool > L->width) fail("pool: expected a window that fits, got %d", L->pool);
    double fan_in = (double)channels_in * (double)K * (double)K, places = (double)L->height * L->width;
    if ((double)channels_in * (double)high * (double)wide_in != L->n_in || places * L->channels != L->n || fan_in > 1e6)
        fail("n_in, n: expected sizes that follow from conv, got %d, %d", L->n_in, L->n);
    L->fan_in = (int)fan_in;
    L->places = (int)places;
    L->n_read = L->channels * (L->height / L->pool) * (L->width / L->pool);
    L->inputs = room(places * fan_in, sizeof(int));
    int *next = L->inputs;
    for (long y = 0; y < L->height; y++)
        for (long x = 0; x < L->width; x++)
            for (long c = 0; c < channels_in; c++)
                for (long r = stride * y - padding; r < stride * y - padding + K; r++)
                    for (long s = stride * x - padding; s < stride * x - padding + K; s++) {
                        int inside = r >= 0 && r < high && s >= 0 && s < wide_in;
                        *next++ = inside ? (int)((c * high + r) * wide_in + s) : -1;
                    }
}

static void check_constants(const Layer *L, int k)
{
    const num *decays[] = {L->alpha, L->beta, L->gamma};
    for (int d = 0; d < 3; d++)
        for (int j = 0; j < (d < 2 ? L->n_in : L->n); j++)
            if (decays[d][j] < 0 || decays[d][j] >= ONE)
                fail("layer%d: expected decays in [0, 1), got %g", k, value(decays[d][j]));
    for (int i = 0; i < L->n; i++)
        if (L->w[i] < 0) fail("layer%d_w: expected numbers >= 0, got %g", k, value(L->w[i]));
}

/* Learning rates, one per weight; for a dense layer the case has one per input. */
static num *read_rates(const Case *of, const Layer *L, int k)
{
    if (L->conv) return read_numbers(of, k, "rate_W", SHAPE(L->channels, L->fan_in / L->kernel / L->kernel,
                                                            L->kernel, L->kernel));
    num *per_input = read_numbers(of, k, "rate_W", SHAPE(L->n_in)), *all = numbers((double)L->n * L->n_in);
    for (int i = 0; i < L->n; i++) memcpy(all + (long)i * L->n_in, per_input, (size_t)L->n_in * sizeof(num));
    free(per_input);
    return all;
}

static void read_layer(const Case *of, Layer *L, const char *about, int k)
{
    known_keys(about, " n_in n n_out loss reduction surrogate lambda1 lambda2 activity conv pool ");
    read_geometry(L, about);
    L->surrogate = json_choice(about, "surrogate", SURROGATES, of->dialect.surrogate);
    L->rate = of->dialect.logistic_rate ? LOGISTIC : L->surrogate;
    L->unpooled = of->dialect.unpooled && L->pool > 1;
    L->loss = json_choice(about, "loss", LOSSES, -1);
    L->mean = json_choice(about, "reduction", REDUCTIONS, -1);
    L->membrane = json_choice(about, "activity", ACTIVITIES, 0);
    L->lambda1 = number("lambda1", json_number(about, "lambda1", 0));
    L->lambda2 = number("lambda2", json_number(about, "lambda2", 0));
    if (L->lambda1 < 0 || L->lambda2 < 0) fail("lambda1, lambda2: expected numbers >= 0, got less");
    if (!HAS_EXP && (L->surrogate == LOGISTIC || L->surrogate == EXPONENTIAL))
        unsupported("surrogate: expected one without exp, got %s", SURROGATES[L->surrogate]);
    if (!HAS_EXP && L->loss == CROSS_ENTROPY) unsupported("loss: expected one without exp, got cross_entropy");
    if (!HAS_EXP && (L->lambda1 > 0 || L->lambda2 > 0)) unsupported("lambda1, lambda2: expected 0 in fixed point, got more");
#ifdef MOST_TERMS
    if (L->fan_in > MOST_TERMS || L->n > MOST_TERMS || L->n_out > MOST_TERMS ||
        (double)of->batch * L->places > MOST_TERMS)
        fail("layers: expected sums of at most %d terms, got more", MOST_TERMS);
#endif
    const long B = of->batch, T = of->steps, n = L->n, n_in = L->n_in, K = L->kernel, C = L->channels;
    const long *shape_W = L->conv ? SHAPE(C, L->fan_in / K / K, K, K) : SHAPE(n, n_in);
    const double in = (double)(B * n_in), out = (double)(B * n), weights = (double)C * L->fan_in;
    L->W = read_numbers(of, k, "W", shape_W);
    L->b = read_numbers(of, k, "b", SHAPE(C));
    L->G = read_numbers(of, k, "G", SHAPE(L->n_out, L->n_read));
    L->c = read_numbers(of, k, "c", SHAPE(L->n_out));
    L->alpha = read_numbers(of, k, "alpha", SHAPE(n_in));
    L->beta = read_numbers(of, k, "beta", SHAPE(n_in));
    L->gamma = read_numbers(of, k, "gamma", SHAPE(n));
    L->w = read_numbers(of, k, "w", SHAPE(n));
    check_constants(L, k);
    L->P = of->given ? read_numbers(of, k, "P0", SHAPE(B, n_in)) : numbers(in);
    L->Q = of->given ? read_numbers(of, k, "Q0", SHAPE(B, n_in)) : numbers(in);
    L->R = of->given ? read_numbers(of, k, "R0", SHAPE(B, n)) : numbers(out);
    L->target = of->targets ? read_numbers(of, k, "target", SHAPE(T, B, L->n_out)) : NULL;
    L->mask = of->dropout ? read_numbers(of, k, "mask", SHAPE(T, B, of->dialect.after_G ? L->n_out : L->n_read)) : NULL;
    L->rate_W = of->learn ? read_rates(of, L, k) : NULL;
    L->rate_b = of->learn ? read_numbers(of, k, "rate_b", SHAPE(C)) : NULL;
    L->m_W = of->memory ? read_numbers(of, k, "m_W", shape_W) : numbers(weights);
    L->u_W = of->memory ? read_numbers(of, k, "u_W", shape_W) : numbers(weights);
    L->m_b = of->memory ? read_numbers(of, k, "m_b", SHAPE(C)) : numbers((double)C);
    L->u_b = of->memory ? read_numbers(of, k, "u_b", SHAPE(C)) : numbers((double)C);
    num **const of_inputs[] = {&L->new_P, &L->new_Q, &L->gain_P, &L->gain_Q};
    num **const of_neurons[] = {&L->U, &L->delta, &L->delta_R, &L->S, &L->activity, &L->rank};
    for (int j = 0; j < 4; j++) *of_inputs[j] = numbers(in);
    for (int j = 0; j < 6; j++) *of_neurons[j] = numbers(out);
    L->Y = numbers((double)B * L->n_out);
    L->e = numbers((double)B * L->n_out);
    L->dW = numbers(weights);
    L->db = numbers((double)C);
    L->winner = room(out, sizeof(int));
}

static Case read_case(const char *folder)
{
    Case of = {0};
    of.text = read_text(folder, "case.json");
    of.folder = folder;
    const char *about = blank(of.text), *format = member(about, "format"), *layers = member(about, "layers"), *p;
    known_keys(about, " format version name why dialect dtype constants dt steps batch initial_state targets learn"
                      " burn_in n updates optimiser memory dropout schedule layers ");
    if (format == NULL || strncmp(format, "\"decolle_ref case\"", 18) != 0 || json_number(about, "version", 0) != 1)
        fail("case.json: expected a decolle_ref case of version 1, got something else");
    static const char *const constants[] = {"decay", NULL};
    json_choice(about, "constants", constants, -1);
    of.dtype = json_choice(about, "dtype", DTYPES, -1);
    if (!HOLDS_FLOAT64 && of.dtype != 0) unsupported("dtype: expected float32, got float64");
    of.dialect = read_dialect(about);
    of.steps = size(about, "steps", -1);
    of.batch = size(about, "batch", -1);
    of.given = json_choice(about, "initial_state", STARTS, -1);
    of.targets = json_choice(about, "targets", NO_YES, -1);
    of.learn = json_choice(about, "learn", NO_YES, -1);
    of.burn_in = json_integer(about, "burn_in", 0, 1e15, 0);
    of.n = json_integer(about, "n", 0, 1e15, 0);
    of.updates = json_integer(about, "updates", 0, 1e15, 0);
    if (of.learn && !of.targets) fail("targets: expected true, as the case learns, got false");

    const char *optimiser = member(about, "optimiser");
    if (optimiser == NULL) optimiser = "{\"kind\": \"adamax\"}";
    known_keys(optimiser, " kind beta1 beta2 eps ");
    of.adamax = of.learn && json_choice(optimiser, "kind", OPTIMISERS, -1);
    if (of.adamax) {
        of.beta1 = json_number(optimiser, "beta1", 0);
        if (of.beta1 < 0 || of.beta1 >= 1) fail("beta1: expected a number in [0, 1), got %g", of.beta1);
        if (of.beta1 > 0 && !HAS_EXP) unsupported("beta1: expected 0 in fixed point, got %g", of.beta1);
        of.beta2 = number("beta2", json_number(optimiser, "beta2", 0.95));
        of.eps = number("eps", json_number(optimiser, "eps", 1e-8));
        if (of.eps <= 0) fail("eps: expected more than 0, got %g", value(of.eps));
    }
    of.dropout = json_choice(about, "dropout", DROPOUTS, 0);
    of.scheduled = of.learn && json_choice(about, "schedule", SCHEDULES, 0);
    of.memory = of.adamax && json_choice(about, "memory", MEMORIES, 0);
    if (!of.memory) of.updates = 0; /* t of a fresh memory starts at 0 */

    if (layers == NULL) fail("layers: expected a list, got none");
    while (element(layers, of.count) != NULL) of.count++;
    of.layers = room(of.count, sizeof(Layer));
    for (int k = 0; (p = element(layers, k)) != NULL; k++) {
        read_layer(&of, &of.layers[k], p, k + 1);
        if (k > 0 && of.layers[k].n_in != of.layers[k - 1].n_read)
            fail("layers[%d].n_in: expected %d, got %d", k, of.layers[k - 1].n_read, of.layers[k].n_in);
    }
    if (of.count == 0) fail("layers: expected at least one, got none");
    of.inputs = read_numbers(&of, 0, "inputs", SHAPE(of.steps, of.batch, of.layers[0].n_in));
    of.schedule = of.scheduled ? read_numbers(&of, 0, "schedule", SHAPE(of.steps)) : NULL;
    return of;
}

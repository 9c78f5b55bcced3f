/* Does a trace folder obey the equations of its case?  No Python is needed.
 *
 *     cc -O2 -std=c99 -o check check.c -lm
 *     ./check CASE TRACE [PROFILE.json]        the profile is CASE/../profile.json if it is not given
 *
 * Every equation is evaluated on the trace's own numbers, within a bound on the error of the arithmetic that the
 * profile declares (bounded.h), as `decolle-ref oracle check` does.  What is not judged is NOT CHECKED, never a pass.
 * Exit code 0: every equation holds.  1: one does not.  2: no verdict.
 */
#define _POSIX_C_SOURCE 200112L
#define PROGRAM "check: NOT CHECKED" /* whatever ends the program before there is a verdict */
#define UNSUPPORTED 2
#include "files.h"
#include "bounded.h"
#include "case.h"
#include "trace.h"
#include "residual.h"
#include "residual_learning.h"

static struct {
    long rank, step, layer, index; /* rank: its place in the order of a run; -1: none */
    int series;
    double got, expected, bound, ratio;
} failure = {-1, 0, 0, 0, 0, 0, 0, 0, 0};
static const char *const END_NAMES[] = {"Q_final", "P_final", "R_final", "m_W_final", "u_W_final", "m_b_final",
                                        "u_b_final"};
static double used; /* the largest part of its bound that a number used */
static long judged, missing;

static void judge(const Shown *s, int series, long t, long i, double got, Bounded expected)
{
    const double off = fabs(got - expected.v), ratio = off == 0 ? 0 : isfinite(off) ? off / expected.e : INFINITY;
    const int order = series < SERIES ? (series + 2) % SERIES : series; /* W and b come first */
    const long rank = (t * s->of->count + s->k) * (SERIES + ENDS) + order;
    judged++;
    if (isfinite(off) && isfinite(expected.e) && off <= expected.e) {
        used = fmax(used, ratio);
    } else if (failure.rank < 0 || rank < failure.rank || (rank == failure.rank && ratio > failure.ratio)) {
        failure.rank = rank, failure.step = t, failure.layer = s->k, failure.series = series, failure.index = i;
        failure.got = got, failure.expected = expected.v, failure.bound = expected.e, failure.ratio = ratio;
    }
}

/* W or b: the start, and what every update makes of it. */
static void judge_updates(const Shown *s, int series, long size)
{
    const int of_W = series == OF_W;
    const Layer *L = s->L;
    const num *start = of_W ? L->W : L->b, *rate = of_W ? L->rate_W : L->rate_b, *last = s->last[!of_W];
    const num *m = of_W ? L->m_W : L->m_b, *u = of_W ? L->u_W : L->u_b, *g = s->x[of_W ? OF_DW : OF_DB];
    for (long i = 0; i < size; i++) {
        Moments moments = {exact(m[i]), exact(u[i]), s->of->memory ? s->of->updates : 0};
        judge(s, series, 0, i, s->x[series][i], exact(start[i]));
        for (long t = 0; t < s->of->steps; t++) {
            Bounded after = exact(s->x[series][t * size + i]);
            const Bounded lr = s->of->scheduled ? times(exact(s->of->schedule[t]), exact(rate[i])) : exact(rate[i]);
            if (s->of->n + t >= s->of->burn_in) after = minus(after, change(s->of, lr, g[t * size + i], &moments));
            if (t + 1 < s->of->steps) judge(s, series, t + 1, i, s->x[series][(t + 1) * size + i], after);
            else if (last != NULL) judge(s, series, t + 1, i, last[i], after);
        }
    }
}

static void judge_layer(const Shown *s, long shape[SERIES][6], int count)
{
    static Bounded (*const equations[])(const Shown *, long, long) = {Q, P, R, U, S, Y, e, delta, dW, db};
    for (int series = 0; series < count; series++) {
        const long size = (long)count_of(shape[series] + 1);
        if (series >= OF_W) judge_updates(s, series, size);
        else
            for (long t = 0; t < s->of->steps; t++)
                for (long i = 0; i < size; i++)
                    judge(s, series, t, i, s->x[series][t * size + i], equations[series](s, t, i));
    }
}

/* The state, m and u after the last step: each needs the others of its kind. */
static void judge_end(const Shown *s)
{
    const Layer *L = s->L;
    const long T = s->of->steps, size[] = {s->of->batch * L->n_in, s->of->batch * L->n_in, s->of->batch * L->n};
    for (int q = END_Q; q <= END_R && s->end[END_Q] && s->end[END_P] && s->end[END_R]; q++)
        for (long i = 0; i < size[q]; i++) {
            Bounded expected = q == END_R ? R(s, T, i) : exact(s->x[q == END_Q ? OF_Q : OF_P][(T - 1) * size[q] + i]);
            if (q != END_R && !s->of->dialect.new_P) expected = q == END_Q ? Q(s, T, i) : P(s, T, i);
            judge(s, SERIES + q, T, i, s->end[q][i], expected);
        }
    for (int b = 0; b < 2 && s->end[END_M_W] && s->end[END_U_W] && s->end[END_M_B] && s->end[END_U_B]; b++) {
        const long count = b ? L->channels : (long)L->channels * L->fan_in;
        for (long i = 0; i < count; i++) {
            Moments moments = {exact((b ? L->m_b : L->m_W)[i]), exact((b ? L->u_b : L->u_W)[i]), 0};
            for (long t = 0; t < T; t++)
                if (s->of->n + t >= s->of->burn_in)
                    change(s->of, exact(0), s->x[b ? OF_DB : OF_DW][t * count + i], &moments);
            judge(s, SERIES + END_M_W + 2 * b, T, i, s->end[END_M_W + 2 * b][i], moments.m);
            judge(s, SERIES + END_U_W + 2 * b, T, i, s->end[END_U_W + 2 * b][i], moments.u);
        }
    }
}

/* An array of a trace, all of whose numbers the profile's format has. */
static num *read_shown(const char *folder, int k, const char *letter, const long shape[])
{
    char name[64];
    snprintf(name, sizeof name, "layer%d_%s.npy", k, letter);
    num *x = read_array(folder, name, strcmp(letter, "S") == 0 ? " <f4 <f8 |u1 <i4 <i8 |b1 " : " <f4 <f8 ", shape);
    for (size_t i = 0; i < (size_t)count_of(shape); i++)
        if (!is_held(x[i])) fail("%s: expected numbers of the declared format, got %.17g", name, x[i]);
    return x;
}

static int is_there(const char *folder, int k, const char *letter)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/layer%d_%s.npy", folder, k, letter);
    FILE *f = fopen(path, "rb");
    if (f != NULL) fclose(f);
    return f != NULL;
}

static Shown read_layer_shown(const Case *of, const char *folder, int k, const num *S_in)
{
    Shown s = {of, &of->layers[k - 1], S_in, {0}, {0}, {0}, k};
    long shape[SERIES][6];
    const int count = shapes(of, s.L, shape) == OF_E ? OF_E : of->learn ? SERIES : OF_W;
    for (int q = 0; q < count; q++) s.x[q] = read_shown(folder, k, SERIES_NAMES[q], shape[q]);
    for (int of_b = 0; of_b < 2 && of->learn; of_b++) {
        const char *name = of_b ? "b_final" : "W_final";
        if (is_there(folder, k, name)) s.last[of_b] = read_shown(folder, k, name, shape[OF_W + of_b] + 1);
        else missing++, printf("NOT CHECKED: layer%d_%s.npy is not there, so nobody knows the last update\n", k, name);
    }
    const long *const of_end[] = {shape[OF_Q], shape[OF_P], shape[OF_R], shape[OF_W], shape[OF_W], shape[OF_B],
                                  shape[OF_B]};
    for (int q = 0; q < (of->adamax ? ENDS : END_M_W); q++)
        if (is_there(folder, k, END_NAMES[q])) s.end[q] = read_shown(folder, k, END_NAMES[q], of_end[q] + 1);
    if (of->targets && is_there(folder, k, "loss"))
        missing++, printf("NOT CHECKED: layer%d_loss.npy, which this program does not judge\n", k);
    judge_layer(&s, shape, count);
    return s;
}

/* The entry in words: "P of sample 0, input 5", or "W[2, 3]". */
static void print_place(const Layer *L)
{
    static const char *const axes[] = {"input", "input", "neuron", "neuron", "neuron", "output", "output", "neuron"};
    const long width[] = {L->n_in, L->n_in, L->n, L->n, L->n_read, L->n_out, L->n_out, L->n};
    const long i = failure.index, K = L->kernel;
    const char *name = failure.series < SERIES ? SERIES_NAMES[failure.series] : END_NAMES[failure.series - SERIES];
    printf("first failure: step %ld, layer %ld, %s", failure.step, failure.layer, name);
    if (failure.series >= SERIES) printf(", entry %ld\n", i);
    else if (failure.series < OF_DW)
        printf(" of sample %ld, %s %ld\n", i / width[failure.series], axes[failure.series], i % width[failure.series]);
    else if (failure.series % 2) printf("[%ld]\n", i); /* db, b */
    else if (!L->conv) printf("[%ld, %ld]\n", i / L->fan_in, i % L->fan_in);
    else printf("[%ld, %ld, %ld, %ld]\n", i / L->fan_in, i % L->fan_in / (K * K), i % (K * K) / K, i % K);
}

static int verdict(const Case *of)
{
    if (failure.rank >= 0) {
        printf("FAIL\n");
        print_place(&of->layers[failure.layer - 1]);
        printf("  got       %-24.17g %a\n", failure.got, failure.got);
        printf("  expected  %-24.17g %a\n", failure.expected, failure.expected);
        if (failure.bound == 0) printf("  it must hold exactly\n");
        else printf("  off by    %.3g times the bound %.2g\n", failure.ratio, failure.bound);
        return 1;
    }
    if (missing > 0) return printf("no verdict: the rest holds, %ld numbers\n", judged), 2;
    printf("PASS: %ld numbers at %ld steps hold (used most: %.0f %% of a bound)\n", judged, of->steps, 100 * used);
    return 0;
}

int main(int count, char **arguments)
{
    const uint16_t one = 1;
    if (count != 3 && count != 4) fail("expected check CASE TRACE [PROFILE.json], got %d arguments", count - 1);
    if (*(const unsigned char *)&one != 1) fail("expected a little-endian machine, got a big-endian one");
    char path[4096];
    snprintf(path, sizeof path, "%s%s", count == 4 ? arguments[3] : arguments[1], count == 4 ? "" : "/../profile.json");
    read_profile(path);
    const Case of = read_case(arguments[1]);
    free(read_text(arguments[2], "trace.json")); /* it is written last, so without it the trace is not complete */
    Shown *shown = room(of.count, sizeof *shown);
    for (int k = 1; k <= of.count; k++)
        shown[k - 1] = read_layer_shown(&of, arguments[2], k, k > 1 ? shown[k - 2].x[OF_S] : of.inputs);
    for (int k = 0; k < of.count && failure.rank < 0; k++) judge_end(&shown[k]);
    return verdict(&of);
}

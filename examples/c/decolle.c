/* DECOLLE in C: reads a case folder, runs the network, writes a trace folder (docs/case_format.md).
 *
 *     cc -O2 -std=c99 -o decolle decolle.c -lm
 *     ./decolle CASE TRACE
 *
 * There is one function per equation, in equations.h; `step` has their order.  The arithmetic is a few functions in
 * float32.h, and in fixed.h for decolle_fixed.c: `mul` two numbers into a wide product, `widen` a number to add it to
 * products, `narrow` a sum back to a number.  Reading and writing are in files.h, case.h and trace.h.
 */
#define _POSIX_C_SOURCE 200112L /* mkdir */
#ifdef FIXED_POINT
#define PROGRAM "decolle_fixed"
#include "files.h"
#include "fixed.h"
#else
#define PROGRAM "decolle"
#include "files.h"
#include "float32.h"
#endif
#include "case.h"
#include "trace.h"
#include "equations.h"

/* ---- One step ---- */

/* One sample: the state, the spikes and the readout; mask_a and mask_Y are the factors of dropout, or NULL. */
static void forward(const Dialect *d, Layer *L, long b, const num *S_in, const num *mask_a, const num *mask_Y)
{
    num *Q = L->Q + b * L->n_in, *P = L->P + b * L->n_in, *R = L->R + b * L->n, *U = L->U + b * L->n;
    num *new_Q = L->new_Q + b * L->n_in, *new_P = L->new_P + b * L->n_in;
    num *S = L->S + b * L->n_read, *activity = L->activity + b * L->n_read;
    int *winners = L->winner + b * L->n_read;
    for (int j = 0; j < L->n_in; j++) {
        new_Q[j] = filtered(L->beta[j], Q[j], L->gain_Q[j], S_in[j]);
        new_P[j] = filtered(L->alpha[j], P[j], L->gain_P[j], d->new_Q ? new_Q[j] : Q[j]);
    }
    for (int i = 0; i < L->n; i++) {
        U[i] = membrane(L, i, d->new_P ? new_P : P, R);
        L->rank[i] = d->pool_S ? sigma(L->surrogate, U[i]) : U[i];
    }
    for (int v = 0; v < L->n_read; v++) {
        winners[v] = winner(L, v, L->rank);
        S[v] = spike(d, U[winners[v]]);
        activity[v] = dropped(mask_a, v, d->spikes ? S[v] : sigma(L->surrogate, U[winners[v]]));
    }
    for (int k = 0; k < L->n_out; k++) L->Y[b * L->n_out + k] = readout(L, k, activity, mask_Y);
}

/* One sample: e, and delta of the winning neurons; delta of the others is 0. */
static void local_gradients(Layer *L, long b, long batch, const num *target, const num *mask_a, const num *mask_Y)
{
    num *Y = L->Y + b * L->n_out, *e = L->e + b * L->n_out, *U = L->U + b * L->n, *delta = L->delta + b * L->n;
    const int *winners = L->winner + b * L->n_read, regularised = L->lambda1 > 0 || L->lambda2 > 0;
    const int silent = regularised && mean_activity(L, b, batch) < number("0.1", 0.1);
    if (L->loss == CROSS_ENTROPY) softmax_error(L, Y, target, batch, e);
    else for (int k = 0; k < L->n_out; k++) e[k] = error(L, Y[k], target[k], batch);
    for (int i = 0; i < L->n; i++) delta[i] = 0;
    for (int v = 0; v < L->n_read; v++) {
        num *to = &delta[winners[v]];
        *to = error_signal(L, v, e, U[winners[v]], mask_a, mask_Y);
        if (regularised) *to += penalty(L, batch, U[winners[v]], silent);
    }
    for (int i = 0; regularised && L->unpooled && i < L->n; i++) delta[i] += share(loud(L, U[i]), batch * L->n);
}

static void gradients(Layer *L, long batch, const num *P)
{
    for (int o = 0; o < L->channels; o++) {
        for (int k = 0; k < L->fan_in; k++) L->dW[(long)o * L->fan_in + k] = gradient_W(L, batch, o, k, P);
        L->db[o] = gradient_b(L, batch, o);
    }
}

/* `factor` is that of the schedule at this step, or NULL. */
static void learn(const Case *of, Layer *L, const num *factor)
{
    for (long j = 0; j < (long)L->channels * L->fan_in; j++)
        update(of, &L->W[j], &L->m_W[j], &L->u_W[j], L->dW[j], dropped(factor, 0, L->rate_W[j]));
    for (int o = 0; o < L->channels; o++)
        update(of, &L->b[o], &L->m_b[o], &L->u_b[o], L->db[o], dropped(factor, 0, L->rate_b[o]));
}

/* Replaces the old state by the new one. */
static void advance(const Dialect *d, Layer *L, long batch)
{
    num *P = L->P, *Q = L->Q;
    L->P = L->new_P, L->new_P = P;
    L->Q = L->new_Q, L->new_Q = Q;
    for (long i = 0; i < batch * L->n; i++)
        L->R[i] = refractory(L->gamma[i % L->n], L->R[i], spike(d, L->U[i]));
}

/* ---- The run ---- */

/* One step of all layers, bottom up; U reads the weights from before the update. */
static void step(Case *of, long t, const Record *records)
{
    const Dialect *d = &of->dialect;
    const int learns = of->learn && of->n + t >= of->burn_in;
    const num *S_in = of->inputs + t * of->batch * of->layers[0].n_in;
    for (int k = 0; k < of->count; k++) {
        Layer *L = &of->layers[k];
        for (long b = 0; b < of->batch; b++) {
            const long row = t * of->batch + b;
            const num *mask = L->mask == NULL ? NULL : L->mask + row * (d->after_G ? L->n_out : L->n_read);
            const num *mask_a = d->after_G ? NULL : mask, *mask_Y = d->after_G ? mask : NULL;
            forward(d, L, b, S_in + b * L->n_in, mask_a, mask_Y);
        }
        for (long b = 0; of->targets && b < of->batch; b++) {
            const long row = t * of->batch + b;
            const num *mask = L->mask == NULL ? NULL : L->mask + row * (d->after_G ? L->n_out : L->n_read);
            const num *mask_a = d->after_G ? NULL : mask, *mask_Y = d->after_G ? mask : NULL;
            local_gradients(L, b, of->batch, L->target + row * L->n_out, mask_a, mask_Y);
        }
        if (of->targets) gradients(L, of->batch, d->new_P ? L->new_P : L->P);
        write_step(of, L, &records[k]);
        if (learns) learn(of, L, of->schedule == NULL ? NULL : of->schedule + t);
        advance(d, L, of->batch);
        S_in = L->S;
    }
    of->updates += learns;
}

int main(int count, char **arguments)
{
    const uint16_t one = 1;
    if (count != 3) fail("expected %s CASE TRACE, got %d arguments", PROGRAM, count - 1);
    if (*(const unsigned char *)&one != 1) fail("expected a little-endian machine, got a big-endian one");
    const char *folder = arguments[2];
    Case of = read_case(arguments[1]);
    make_folder(folder);
    Record *records = room(of.count, sizeof *records);
    for (int k = 0; k < of.count; k++) {
        derive(&of.dialect, &of.layers[k]);
        records[k] = open_record(&of, &of.layers[k], folder, k + 1);
    }
    for (long t = 0; t < of.steps; t++) step(&of, t, records);
    for (int k = 0; k < of.count; k++) {
        for (int q = 0; q < SERIES; q++) close_file(records[k].file[q]);
        write_end(&of, &of.layers[k], folder, k + 1);
    }
    describe(&of, folder);
    return 0;
}

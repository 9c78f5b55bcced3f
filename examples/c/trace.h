/* The trace: one .npy file per array, appended to step by step, and trace.json at the end. */
enum { OF_Q, OF_P, OF_R, OF_U, OF_S, OF_Y, OF_E, OF_DELTA, OF_DW, OF_DB, OF_W, OF_B, SERIES };
static const char *const SERIES_NAMES[] = {"Q", "P", "R", "U", "S", "Y", "e", "delta", "dW", "db", "W", "b"};

typedef struct {
    FILE *file[SERIES];
    size_t count[SERIES]; /* numbers per step */
} Record;

static FILE *new_series(const Case *of, const char *folder, int k, const char *letter, const long shape[])
{
    char name[64];
    snprintf(name, sizeof name, "layer%d_%s.npy", k, letter);
    return new_array(folder, name, of->dtype ? 8 : 4, shape);
}

static void put(const Case *of, FILE *f, const char *name, const num *x, size_t count)
{
    for (size_t j = 0; j < count; j++) append(f, name, of->dtype ? 8 : 4, value(x[j]));
}

/* The shapes, with T steps in front; returns how many of them the case has. */
static int shapes(const Case *of, const Layer *L, long shape[SERIES][6])
{
    const long T = of->steps, B = of->batch, K = L->kernel, width[] = {L->n_in, L->n_in, L->n, L->n, L->n_read,
                                                                       L->n_out, L->n_out, L->n};
    for (int q = 0; q <= OF_DELTA; q++) memcpy(shape[q], SHAPE(T, B, width[q]), 4 * sizeof(long));
    for (int q = OF_DW; q < SERIES; q += 2) {
        if (L->conv) memcpy(shape[q], SHAPE(T, L->channels, L->fan_in / K / K, K, K), 6 * sizeof(long));
        else memcpy(shape[q], SHAPE(T, L->n, L->n_in), 4 * sizeof(long));
        memcpy(shape[q + 1], SHAPE(T, L->channels), 3 * sizeof(long));
    }
    return of->targets ? SERIES : OF_E;
}

static Record open_record(const Case *of, const Layer *L, const char *folder, int k)
{
    long shape[SERIES][6];
    Record record = {{0}, {0}};
    for (int q = shapes(of, L, shape) - 1; q >= 0; q--) {
        record.file[q] = new_series(of, folder, k, SERIES_NAMES[q], shape[q]);
        record.count[q] = (size_t)count_of(shape[q] + 1);
    }
    return record;
}

/* Appends the arrays of this step: Q, P, R, W and b as U read them. */
static void write_step(const Case *of, const Layer *L, const Record *record)
{
    const int new_P = of->dialect.new_P;
    const num *const series[] = {new_P ? L->new_Q : L->Q, new_P ? L->new_P : L->P, L->R, L->U, L->S, L->Y,
                                L->e, L->delta, L->dW, L->db, L->W, L->b};
    for (int q = 0; q < SERIES; q++)
        if (record->file[q] != NULL) put(of, record->file[q], SERIES_NAMES[q], series[q], record->count[q]);
}

static void close_file(FILE *f)
{
    if (f != NULL && fclose(f) != 0) fail("trace: expected files to write, got an error");
}

/* The end of the run, from which the next case may start. */
static void write_end(const Case *of, const Layer *L, const char *folder, int k)
{
    static const char *const names[] = {"W_final", "b_final", "P_final", "Q_final", "R_final",
                                        "m_W_final", "m_b_final", "u_W_final", "u_b_final"};
    static const int like[] = {OF_W, OF_B, OF_P, OF_Q, OF_R, OF_W, OF_B, OF_W, OF_B};
    const num *const last[] = {L->W, L->b, L->P, L->Q, L->R, L->m_W, L->m_b, L->u_W, L->u_b};
    long shape[SERIES][6];
    shapes(of, L, shape);
    for (int q = 0; q < (of->adamax ? 9 : 5); q++) {
        FILE *f = new_series(of, folder, k, names[q], shape[like[q]] + 1);
        put(of, f, names[q], last[q], (size_t)count_of(shape[like[q]] + 1));
        close_file(f);
    }
}

/* Makes the folder.  An existing folder without a trace may be used; without a folder, the first file fails. */
static void make_folder(const char *folder)
{
    char path[4096];
    FILE *f = NULL;
    if (mkdir(folder, 0777) != 0 && snprintf(path, sizeof path, "%s/trace.json", folder) < (int)sizeof path)
        f = fopen(path, "rb");
    if (f != NULL) fail("%s: expected a new or empty folder, got one with a trace", folder);
}

/* Written last: a trace folder that has trace.json is complete. */
static void describe(const Case *of, const char *folder)
{
    const char *name = member(blank(of->text), "name");
    FILE *f = open_file(folder, "trace.json", "wb");
    fprintf(f, "{\"format\": \"decolle_ref trace\", \"version\": 1, \"dtype\": \"%s\",\n", DTYPES[of->dtype]);
    if (name != NULL && *name == '"') fprintf(f, " \"case\": %.*s,\n", (int)(closing(name) + 1 - name), name);
    fprintf(f, " \"steps\": %ld, \"batch\": %ld, \"layers\": [", of->steps, of->batch);
    for (int k = 0; k < of->count; k++)
        fprintf(f, "%s\n  {\"n_in\": %d, \"n\": %d, \"n_out\": %d}", k > 0 ? "," : "", of->layers[k].n_in,
                of->layers[k].n, of->layers[k].n_out);
    fprintf(f, "]}\n");
    close_file(f);
}

// The memory of a layer: the address of every array.  The layer and its test benches include this file in a module that
// has the parameters N_IN, N, N_OUT and BATCH.
//
// A row of inputs has N_IN + 1 words and a row of neurons N + 1.  The word after the last holds 1 in P, A and S: so the
// bias is the last weight of its row (W_i0 ... b_i), c_k is the last of row k of G, and db is a column of dW.

localparam ROW_IN = N_IN + 1;
localparam ROW = N + 1;

localparam ONE_AT = 0;    // the number 1
localparam TWO_AT = 1;    // the number 2
localparam X_AT = 2;      // what a surrogate multiplies
localparam SLOPE_AT = 3;  // sigma'(U_i)
localparam BACK_AT = 4;   // sum_k G_ki e_k
localparam STEP_AT = 5;   // the gradient, or Adamax's g / u
localparam BETA2_AT = 6;  // Adamax's beta2

localparam ALPHA = 7;                          // [N_IN]
localparam BETA = ALPHA + N_IN;                // [N_IN]
localparam GAIN_P = BETA + N_IN;               // [N_IN]
localparam GAIN_Q = GAIN_P + N_IN;             // [N_IN]
localparam RATE_W = GAIN_Q + N_IN;             // [N_IN]
localparam GAMMA = RATE_W + N_IN;              // [N]
localparam DELTA_R = GAMMA + N;                // [N]
localparam RATE_B = DELTA_R + N;               // [N]
localparam W = RATE_B + N;                     // [N][ROW_IN]
localparam PEAK = W + N * ROW_IN;              // [N][ROW_IN]  Adamax's u
localparam G = PEAK + N * ROW_IN;              // [N_OUT][ROW]
localparam S_IN = G + N_OUT * ROW;             // [BATCH][ROW_IN]
localparam Q = S_IN + BATCH * ROW_IN;          // [BATCH][ROW_IN]
localparam P = Q + BATCH * ROW_IN;             // [BATCH][ROW_IN]
localparam R = P + BATCH * ROW_IN;             // [BATCH][ROW]
localparam U = R + BATCH * ROW;                // [BATCH][ROW]
localparam S = U + BATCH * ROW;                // [BATCH][ROW]
localparam A = S + BATCH * ROW;                // [BATCH][ROW]  sigma(U)
localparam D = A + BATCH * ROW;                // [BATCH][ROW]  dL/dU
localparam Y = D + BATCH * ROW;                // [BATCH][N_OUT]
localparam TARGET = Y + BATCH * N_OUT;         // [BATCH][N_OUT]
localparam E = TARGET + BATCH * N_OUT;         // [BATCH][N_OUT]  dL/dY
localparam WORDS = E + BATCH * N_OUT;
localparam ADDRESS = $clog2(WORDS);  // bits of an address

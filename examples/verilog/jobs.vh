// The jobs: each computes one number, as a sum of products.  Their operands are in addresses.vh, and what becomes of the
// sum in decolle_layer.v.

localparam [4:0] IDLE = 0;
localparam [4:0] TRACE_Q = 1;   // Q_j = beta_j Q_j + g_Q S_in_j
localparam [4:0] TRACE_P = 2;   // P_j = alpha_j P_j + g_P Q_j
localparam [4:0] MEMBRANE = 3;  // U_i = sum_j W_ij P_j + b_i - delta_i R_i
localparam [4:0] SPIKE = 4;     // S_i = Theta(U_i)
localparam [4:0] SIGMA = 5;     // A_i = sigma(U_i), or a number on the way to it
localparam [4:0] PARABOLA = 6;  // sigma of piecewise_linear: near (2 - near)
localparam [4:0] READOUT = 7;   // Y_k = sum_i G_ki A_i + c_k
localparam [4:0] ERROR = 8;     // e_k = dL/dY_k, from Y_k - target_k
localparam [4:0] SLOPE = 9;     // sigma'(U_i), or a number on the way to it
localparam [4:0] SQUARE = 10;   // sigma' of the fast sigmoids: (1 + s |U_i|)^2
localparam [4:0] BACK = 11;     // sum_k G_ki e_k
localparam [4:0] DELTA = 12;    // dL/dU_i, the product of the last two
localparam [4:0] GRADIENT = 13; // dW_ij = sum over the batch of dL/dU_i P_j
localparam [4:0] MAXIMUM = 14;  // Adamax: u = max(beta2 u, |dW| + eps)
localparam [4:0] RATIO = 15;    // Adamax: dW / u
localparam [4:0] UPDATE = 16;   // W_ij = W_ij - rate dW_ij, or rate dW_ij / u
localparam [4:0] RESET = 17;    // R_i = gamma_i R_i + S_i

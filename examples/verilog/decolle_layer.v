// One dense layer of DECOLLE in fixed point, with one multiply-accumulate unit.  README.md explains it.
//
// While `busy` is low, the host reads and writes the memory (layout.vh): `host_data` shows the word at `host_address` one
// cycle later.  `start` runs one time step of all samples: with `targets` it computes the gradients, with `learn` it
// applies them.  `observe` is high for one cycle when everything that the step reads and computes stands in memory: Q, P
// and R as U read them, U, S, Y, e, dL/dU, and the weights before their update.

module decolle_layer #(
    parameter N_IN = 4,
    parameter N = 3,
    parameter N_OUT = 2,
    parameter BATCH = 1,
    parameter P_READS_NEW = 0,   // the dialect: P reads the old or the new Q
    parameter U_READS_NEW = 0,   // U reads the old or the new P
    parameter ABOVE = 0,         // S = 1 if U >= 0, or if U > 0
    parameter READS_SPIKES = 0,  // Y reads sigma(U), or S
    parameter SURROGATE = 0,     // 0: boxcar, 1: piecewise_linear, 2: fast_sigmoid, 3: fast_sigmoid_10
    parameter SMOOTH_L1 = 0,     // e = Y - target, or clip(Y - target, -1, 1)
    parameter MEAN = 0,          // the loss is a sum, or a mean over outputs and samples
    parameter ADAMAX = 0,        // SGD, or Adamax with beta1 = 0
    parameter EPS = 1            // of Adamax
) (
    input wire clk,
    input wire reset,
    input wire start,
    input wire targets,
    input wire learn,
    output wire busy,
    output wire observe,
    output reg gradient_valid,          // dW_i0 ... dW_i,N_IN-1 db_i, for i = 0, 1, ...
    output reg signed [31:0] gradient,
    input wire host_write,
    /* verilator lint_off UNUSED */  // an address has as many bits as the memory needs
    input wire [31:0] host_address,
    /* verilator lint_on UNUSED */
    input wire signed [31:0] host_write_data,
    output wire signed [31:0] host_data
);
    `include "layout.vh"
    `include "jobs.vh"

    localparam signed [31:0] ONE = 65536, HALF = 32768;
    localparam signed [63:0] MOST = (1 << 24) - 1, LEAST = -(1 << 24);

    // ---- The state machine: a job is set up, its terms are issued, two cycles later the sum stands

    localparam [2:0] SET = 0, TERMS = 1, WAIT = 2, FINISH = 3, DIVIDE = 4;

    reg [2:0] state;
    reg [4:0] job, next_job;
    reg [ADDRESS-1:0] term, b, i, j, k, in_b, n_b, out_b, in_i, n_k;
    reg more, minus;

    /* verilator lint_off WIDTH */  // indices have the bits of an address; the sum of several has 32
    /* verilator lint_off UNUSED */
    reg [31:0] a_first, b_first, a_last, b_last, a_stride, b_stride, count, target_address;
    reg [31:0] a_at, b_at;
    `include "addresses.vh"
    `include "next_job.vh"
    wire issued = term == (more ? count : count - 1);
    wire at_last = more && term == count;
    /* verilator lint_on UNUSED */
    /* verilator lint_on WIDTH */

    assign busy = job != IDLE;
    assign observe = state == SET && (targets ? job == GRADIENT : job == RESET) && i == 0 && j == 0 && b == 0;

    // ---- The arithmetic

    wire signed [31:0] x, sigma, slope, spike, word;
    wire signed [63:0] sum, quotient;
    wire divided;
    reg signed [63:0] dividend, divisor;
    reg negative;  // U < 0
    reg signed [31:0] maximum, result;

    wire writes = state == FINISH && !divides || state == DIVIDE && divided;
    wire divides = SURROGATE >= 2 && (job == SIGMA || job == SQUARE) || MEAN != 0 && job == ERROR || job == RATIO;

    mac #(.WORDS(WORDS), .ADDRESS(ADDRESS)) arithmetic (
        .clk(clk),
        .valid(state == TERMS),
        .first(term == 0),
        .minus(minus && at_last),
        .address_a(at_last ? a_last[ADDRESS-1:0] : a_at[ADDRESS-1:0]),
        .address_b(busy ? at_last ? b_last[ADDRESS-1:0] : b_at[ADDRESS-1:0] : host_address[ADDRESS-1:0]),
        .write(busy ? writes : host_write),
        .write_address(busy ? target_address[ADDRESS-1:0] : host_address[ADDRESS-1:0]),
        .write_data(busy ? result : host_write_data),
        .b(word),
        .sum(sum),
        .x(x)
    );
    assign host_data = word;

    surrogate #(.SURROGATE(SURROGATE), .ABOVE(ABOVE)) shape (.x(x), .spike(spike), .sigma(sigma), .slope(slope));

    divide divider (
        .clk(clk), .start(state == FINISH && divides), .a(dividend), .b(divisor), .done(divided), .quotient(quotient)
    );

    function signed [63:0] wide(input signed [31:0] value);
        wide = {{32{value[31]}}, value};
    endfunction

    function signed [31:0] saturate(input signed [63:0] value);
        saturate = value > MOST ? MOST[31:0] : value < LEAST ? LEAST[31:0] : value[31:0];
    endfunction

    wire signed [31:0] clipped = SMOOTH_L1 == 0 ? x : x > ONE ? ONE : x < -ONE ? -ONE : x;
    wire signed [31:0] arch = saturate(((sum >>> 1) + 64'sd32768) >>> 16);  // half of the sum as a number
    wire signed [31:0] magnitude = (gradient < 0 ? -gradient : gradient) + EPS;

    always @* begin
        dividend = {{16{x[31]}}, x, 16'd0};
        divisor = wide(maximum);
        case (job)
            SIGMA: divisor = wide(slope);
            SQUARE: begin
                dividend = 64'sd1 << 48;
                divisor = sum;
            end
            ERROR: begin
                dividend = wide(clipped);
                divisor = BATCH * N_OUT;
            end
            default: ;
        endcase
    end

    always @* begin
        result = x;
        case (job)
            SPIKE: result = spike;
            SIGMA: result = SURROGATE >= 2 ? HALF + saturate(quotient) : sigma;
            PARABOLA: result = negative ? HALF - arch : HALF + arch;
            ERROR: result = MEAN != 0 ? quotient[31:0] : clipped;
            SLOPE: result = slope;
            SQUARE: result = quotient[31:0];
            MAXIMUM: result = x > saturate(wide(magnitude)) ? x : saturate(wide(magnitude));
            RATIO: result = saturate(quotient);
            default: ;
        endcase
    end

    // ---- The clock

    always @(posedge clk) begin
        gradient_valid <= 0;
        if (reset) begin
            job <= IDLE;
            state <= SET;
            {b, i, j, k, in_b, n_b, out_b, in_i, n_k} <= 0;
        end else if (!busy) begin
            if (start) job <= FIRST_JOB;
        end else
            case (state)
                SET: begin
                    term <= 0;
                    a_at <= a_first;
                    b_at <= b_first;
                    state <= TERMS;
                end
                TERMS: begin
                    term <= term + 1;
                    a_at <= a_at + a_stride;
                    b_at <= b_at + b_stride;
                    if (issued) state <= WAIT;
                end
                WAIT: state <= FINISH;
                default:
                    if (writes) begin
                        if (job == SIGMA) negative <= x < 0;
                        if (job == GRADIENT) gradient <= x;
                        if (job == GRADIENT) gradient_valid <= 1;
                        if (job == MAXIMUM) maximum <= result;
                        job <= next_job;
                        state <= SET;
                        move_on;
                    end else state <= DIVIDE;
            endcase
    end
endmodule

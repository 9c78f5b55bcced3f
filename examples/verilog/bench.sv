// Runs one layer on memory files, and writes its trace as memory files, in the format of `oracle export --hex`.
//
//     vvp layer.vvp +hex=FOLDER +inputs=FOLDER/inputs.hex +out=TRACE +layer=1 +learn_from=0
//
// reads layer1_W.hex and so on, and writes layer1_U.hex and so on, with one row per step and sample, and
// layer1_cycles.txt, the number of clock cycles of every step.  Spikes are integers, all other numbers Q8.16.

module bench;
    parameter N_IN = 4, N = 3, N_OUT = 2, BATCH = 1, STEPS = 1;
    parameter P_READS_NEW = 0, U_READS_NEW = 0, ABOVE = 0, READS_SPIKES = 0;
    parameter GAINS = 0;       // 0: one, 1: leak, 2: inverse
    parameter REFRACTORY = 0;  // 0: w, 1: gamma_w, 2: leak_w
    parameter SURROGATE = 0, SMOOTH_L1 = 0, MEAN = 0, ADAMAX = 0, BETA2 = 0, EPS = 1;
    parameter TARGETS = 0, LEARN = 0;
    parameter GIVEN = 0;       // whether there are P0, Q0 and R0
    parameter MEMORY = 0;      // whether there are u_W and u_b
    parameter SCHEDULE = 0;    // whether there is a factor of the learning rates for each step

    `include "layout.vh"

    localparam ONE = 65536;
    localparam LARGEST = WORDS + STEPS * BATCH * (N_IN + N_OUT);  // no file has more words

    reg clk = 0, reset = 1, start = 0, learn = 0, host_write = 0;
    reg [31:0] host_address = 0;
    reg signed [31:0] host_write_data = 0;
    wire busy, observe, gradient_valid;
    wire signed [31:0] gradient, host_data;

    decolle_layer #(
        .N_IN(N_IN), .N(N), .N_OUT(N_OUT), .BATCH(BATCH), .P_READS_NEW(P_READS_NEW), .U_READS_NEW(U_READS_NEW),
        .ABOVE(ABOVE), .READS_SPIKES(READS_SPIKES), .SURROGATE(SURROGATE), .SMOOTH_L1(SMOOTH_L1), .MEAN(MEAN),
        .ADAMAX(ADAMAX), .EPS(EPS)
    ) layer (
        .clk(clk), .reset(reset), .start(start), .targets(TARGETS != 0), .learn(learn), .busy(busy),
        .observe(observe), .gradient_valid(gradient_valid), .gradient(gradient), .host_write(host_write),
        .host_address(host_address), .host_write_data(host_write_data), .host_data(host_data)
    );

    always #1 clk = !clk;

    // ---- Files into memory

    string hex, inputs, out;
    integer number, learn_from;
    reg signed [24:0] words[0:LARGEST-1];
    reg signed [24:0] schedule[0:STEPS-1], rate_W[0:N_IN-1], rate_b[0:N-1];
    reg [15:0] events[0:STEPS*BATCH*N_IN-1];
    reg signed [24:0] targets[0:STEPS*BATCH*N_OUT-1];

    function string path(input string folder, input string name, input string ending);
        path = $sformatf("%0s/layer%0d_%0s.%0s", folder, number, name, ending);
    endfunction

    task put(input integer address, input integer value);
        host_write = 1;
        host_address = address;
        host_write_data = value;
        @(negedge clk);
        host_write = 0;
    endtask

    // An array of `rows` rows, whose first words are `stride` apart in the memory of the layer.
    task load(input string name, input integer base, input integer rows, input integer columns, input integer stride);
        $readmemh(path(hex, name, "hex"), words, 0, rows * columns - 1);
        for (integer row = 0; row < rows; row++)
            for (integer column = 0; column < columns; column++)
                put(base + row * stride + column, words[row*columns+column]);
    endtask

    // An array that is 0 unless the case gives it.
    task load_or_clear(input integer given, input string name, input integer base, input integer columns,
                       input integer stride, input integer rows);
        if (given != 0) load(name, base, rows, columns, stride);
        else
            for (integer row = 0; row < rows; row++)
                for (integer column = 0; column < columns; column++) put(base + row * stride + column, 0);
    endtask

    function integer saturate(input reg signed [63:0] value);
        saturate = value >= 1 << 24 ? (1 << 24) - 1 : value < -(1 << 24) ? -(1 << 24) : value;
    endfunction

    // The product as a number: rounded to the nearest, then saturated.
    function integer times(input reg signed [63:0] a, input reg signed [63:0] b);
        times = saturate((a * b + ONE / 2) >>> 16);
    endfunction

    // Gains and refractory strength follow from the decays; each is rounded once.
    function integer gain(input reg signed [63:0] decay);
        gain = GAINS == 0 ? ONE : GAINS == 1 ? ONE - decay : saturate(((64'sd1 << 33) + ONE - decay) / (2 * (ONE - decay)));
    endfunction

    function integer strength(input reg signed [24:0] w, input reg signed [24:0] gamma);
        strength = REFRACTORY == 0 ? w : times(w, REFRACTORY == 1 ? gamma : ONE - gamma);
    endfunction

    task load_gains(input string name, input integer base);
        $readmemh(path(hex, name, "hex"), words, 0, N_IN - 1);
        for (integer j = 0; j < N_IN; j++) put(base + j, gain(words[j]));
    endtask

    task load_strengths;
        reg signed [24:0] w[0:N-1];
        $readmemh(path(hex, "w", "hex"), w);
        $readmemh(path(hex, "gamma", "hex"), words, 0, N - 1);
        for (integer i = 0; i < N; i++) put(DELTA_R + i, strength(w[i], words[i]));
    endtask

    task load_all;
        put(ONE_AT, ONE);
        put(TWO_AT, 2 * ONE);
        put(BETA2_AT, BETA2);
        load("alpha", ALPHA, 1, N_IN, N_IN);
        load("beta", BETA, 1, N_IN, N_IN);
        load("gamma", GAMMA, 1, N, N);
        load_gains("alpha", GAIN_P);
        load_gains("beta", GAIN_Q);
        load_strengths;
        load("W", W, N, N_IN, ROW_IN);
        load("b", W + N_IN, N, 1, ROW_IN);
        load("G", G, N_OUT, N, ROW);
        load("c", G + N, N_OUT, 1, ROW);
        load_or_clear(LEARN, "rate_W", RATE_W, N_IN, N_IN, 1);
        load_or_clear(LEARN, "rate_b", RATE_B, N, N, 1);
        load_or_clear(MEMORY, "u_W", PEAK, N_IN, ROW_IN, N);
        load_or_clear(MEMORY, "u_b", PEAK + N_IN, 1, ROW_IN, N);
        load_or_clear(GIVEN, "Q0", Q, N_IN, ROW_IN, BATCH);
        load_or_clear(GIVEN, "P0", P, N_IN, ROW_IN, BATCH);
        load_or_clear(GIVEN, "R0", R, N, ROW, BATCH);
        for (integer b = 0; b < BATCH; b++) begin
            put(P + b * ROW_IN + N_IN, ONE);
            put(S + b * ROW + N, ONE);
            put(A + b * ROW + N, ONE);
        end
        $readmemh(inputs, events);
        if (TARGETS != 0) $readmemh(path(hex, "target", "hex"), targets);
        if (SCHEDULE != 0) begin
            $readmemh({hex, "/schedule.hex"}, schedule);
            $readmemh(path(hex, "rate_W", "hex"), rate_W);
            $readmemh(path(hex, "rate_b", "hex"), rate_b);
        end
    endtask

    // ---- Memory into files

    integer Q_file, P_file, R_file, U_file, S_file, Y_file, e_file, delta_file, dW_file, db_file, W_file, b_file;
    integer cycles_file, column = 0;

    function integer open(input string name);
        open = $fopen(path(out, name, "hex"), "w");
    endfunction

    task dump(input integer file, input integer base, input integer rows, input integer columns, input integer stride);
        for (integer row = 0; row < rows; row++) begin
            for (integer k = 0; k < columns; k++)
                $fwrite(file, "%h ", layer.arithmetic.memory[base+row*stride+k][24:0]);
            $fwrite(file, "\n");
        end
    endtask

    task dump_spikes;
        for (integer b = 0; b < BATCH; b++) begin
            for (integer i = 0; i < N; i++) $fwrite(S_file, "%h ", layer.arithmetic.memory[S+b*ROW+i][31:16]);
            $fwrite(S_file, "\n");
        end
    endtask

    task dump_all;
        dump(Q_file, Q, BATCH, N_IN, ROW_IN);
        dump(P_file, P, BATCH, N_IN, ROW_IN);
        dump(R_file, R, BATCH, N, ROW);
        dump(U_file, U, BATCH, N, ROW);
        dump_spikes;
        dump(Y_file, Y, BATCH, N_OUT, N_OUT);
        if (TARGETS != 0) begin
            dump(e_file, E, BATCH, N_OUT, N_OUT);
            dump(delta_file, D, BATCH, N, ROW);
            dump(W_file, W, N, N_IN, ROW_IN);
            dump(b_file, W + N_IN, N, 1, ROW_IN);
        end
    endtask

    task dump_end;
        dump(open("W_final"), W, N, N_IN, ROW_IN);
        dump(open("b_final"), W + N_IN, N, 1, ROW_IN);
        dump(open("P_final"), P, BATCH, N_IN, ROW_IN);
        dump(open("Q_final"), Q, BATCH, N_IN, ROW_IN);
        dump(open("R_final"), R, BATCH, N, ROW);
        if (ADAMAX != 0) begin
            dump(open("u_W_final"), PEAK, N, N_IN, ROW_IN);
            dump(open("u_b_final"), PEAK + N_IN, N, 1, ROW_IN);
        end
    endtask

    task open_all;
        Q_file = open("Q");
        P_file = open("P");
        R_file = open("R");
        U_file = open("U");
        S_file = open("S");
        Y_file = open("Y");
        if (TARGETS != 0) begin
            e_file = open("e");
            delta_file = open("delta");
            dW_file = open("dW");
            db_file = open("db");
            W_file = open("W");
            b_file = open("b");
        end
        cycles_file = $fopen(path(out, "cycles", "txt"), "w");
    endtask

    always @(negedge clk) begin
        if (observe) dump_all;
        if (gradient_valid) begin
            $fwrite(column == N_IN ? db_file : dW_file, "%h\n", gradient[24:0]);
            column = column == N_IN ? 0 : column + 1;
        end
    end

    // ---- The run

    task step(input integer t);
        integer cycles;
        for (integer b = 0; b < BATCH; b++) begin
            for (integer j = 0; j < N_IN; j++) put(S_IN + b * ROW_IN + j, events[(t*BATCH+b)*N_IN+j] * ONE);
            for (integer k = 0; k < N_OUT && TARGETS != 0; k++)
                put(TARGET + b * N_OUT + k, targets[(t*BATCH+b)*N_OUT+k]);
        end
        for (integer j = 0; j < N_IN && SCHEDULE != 0; j++) put(RATE_W + j, times(schedule[t], rate_W[j]));
        for (integer i = 0; i < N && SCHEDULE != 0; i++) put(RATE_B + i, times(schedule[t], rate_b[i]));
        learn = LEARN != 0 && t >= learn_from;
        start = 1;
        @(negedge clk);
        start = 0;
        cycles = 1;
        while (busy) begin
            @(negedge clk);
            cycles++;
        end
        $fwrite(cycles_file, "%0d\n", cycles);
    endtask

    initial begin
        if (!$value$plusargs("hex=%s", hex) || !$value$plusargs("inputs=%s", inputs) || !$value$plusargs("out=%s", out)
            || !$value$plusargs("layer=%d", number) || !$value$plusargs("learn_from=%d", learn_from))
            $fatal(1, "expected +hex=, +inputs=, +out=, +layer= and +learn_from=");
        repeat (2) @(negedge clk);
        reset = 0;
        load_all;
        open_all;
        for (integer t = 0; t < STEPS; t++) step(t);
        dump_end;
        $finish;
    end
endmodule

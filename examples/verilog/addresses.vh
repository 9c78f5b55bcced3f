// The operands of every job.  A job adds `count` products, whose addresses start at a_first and b_first and grow by
// a_stride and b_stride; then, if `more`, the product at a_last and b_last, or subtracts it if `minus`.
//
// in_b, n_b, out_b, in_i, n_k: the first word of row b, i or k, counted from the start of its array.

always @* begin
    {a_first, b_first, a_last, b_last} = 0;
    {a_stride, b_stride} = 0;
    {more, minus} = 0;
    count = 1;
    target_address = X_AT;
    case (job)
        TRACE_Q: begin
            a_first = BETA + j;     b_first = Q + in_b + j;
            a_last = GAIN_Q + j;    b_last = S_IN + in_b + j;  more = 1;
            target_address = Q + in_b + j;
        end
        TRACE_P: begin
            a_first = ALPHA + j;    b_first = P + in_b + j;
            a_last = GAIN_P + j;    b_last = Q + in_b + j;     more = 1;
            target_address = P + in_b + j;
        end
        MEMBRANE: begin
            a_first = W + in_i;     b_first = P + in_b;        count = ROW_IN;
            a_stride = 1;           b_stride = 1;
            a_last = DELTA_R + i;   b_last = R + n_b + i;      more = 1;  minus = 1;
            target_address = U + n_b + i;
        end
        SPIKE: begin
            a_first = ONE_AT;       b_first = U + n_b + i;
            target_address = S + n_b + i;
        end
        SIGMA: begin
            a_first = ONE_AT;       b_first = U + n_b + i;
            target_address = SURROGATE == 1 ? X_AT : A + n_b + i;
        end
        PARABOLA: begin
            a_first = X_AT;         b_first = TWO_AT;
            a_last = X_AT;          b_last = X_AT;             more = 1;  minus = 1;
            target_address = A + n_b + i;
        end
        READOUT: begin
            a_first = G + n_k;      b_first = (READS_SPIKES != 0 ? S : A) + n_b;
            a_stride = 1;           b_stride = 1;              count = ROW;
            target_address = Y + out_b + k;
        end
        ERROR: begin
            a_first = ONE_AT;       b_first = Y + out_b + k;
            a_last = ONE_AT;        b_last = TARGET + out_b + k;  more = 1;  minus = 1;
            target_address = E + out_b + k;
        end
        SLOPE: begin
            a_first = ONE_AT;       b_first = U + n_b + i;
            target_address = SURROGATE >= 2 ? X_AT : SLOPE_AT;
        end
        SQUARE: begin
            a_first = X_AT;         b_first = X_AT;
            target_address = SLOPE_AT;
        end
        BACK: begin
            a_first = G + i;        b_first = E + out_b;       count = N_OUT;
            a_stride = ROW;         b_stride = 1;
            target_address = BACK_AT;
        end
        DELTA: begin
            a_first = BACK_AT;      b_first = SLOPE_AT;
            target_address = D + n_b + i;
        end
        GRADIENT: begin
            a_first = D + i;        b_first = P + j;           count = BATCH;
            a_stride = ROW;         b_stride = ROW_IN;
            target_address = STEP_AT;
        end
        MAXIMUM: begin
            a_first = BETA2_AT;     b_first = PEAK + in_i + j;
            target_address = PEAK + in_i + j;
        end
        RATIO: begin
            a_first = ONE_AT;       b_first = STEP_AT;
            target_address = STEP_AT;
        end
        UPDATE: begin
            a_first = ONE_AT;       b_first = W + in_i + j;
            a_last = j == N_IN ? RATE_B + i : RATE_W + j;  b_last = STEP_AT;  more = 1;  minus = 1;
            target_address = W + in_i + j;
        end
        RESET: begin
            a_first = GAMMA + i;    b_first = R + n_b + i;
            a_last = ONE_AT;        b_last = S + n_b + i;      more = 1;
            target_address = R + n_b + i;
        end
        default: count = 1;
    endcase
end

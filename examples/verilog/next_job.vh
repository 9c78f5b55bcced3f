// The order of the jobs: which job follows `job`, and which index moves on.  A dialect that reads the old P filters its
// traces at the end of a step, else at the start; one that reads the old Q filters P before Q.

localparam [4:0] FIRST_TRACE = P_READS_NEW != 0 ? TRACE_Q : TRACE_P;
localparam [4:0] SECOND_TRACE = P_READS_NEW != 0 ? TRACE_P : TRACE_Q;
localparam [4:0] FIRST_JOB = U_READS_NEW != 0 ? FIRST_TRACE : MEMBRANE;

wire last_b = b == BATCH - 1, last_i = i == N - 1, last_k = k == N_OUT - 1;
wire last_j = j == (job == SECOND_TRACE ? N_IN - 1 : N_IN);  // weights have the bias as one more input

// the last job of one input, neuron, output or weight
wire ends_input = job == SECOND_TRACE;
wire ends_neuron = job == (READS_SPIKES != 0 ? SPIKE : SURROGATE == 1 ? PARABOLA : SIGMA) || job == DELTA || job == RESET;
wire ends_output = job == READOUT || job == ERROR;
wire ends_weight = job == UPDATE || (job == GRADIENT && !learn);

wire ends_sample = (ends_input && last_j) || ((job == DELTA || job == RESET) && last_i) || (job == READOUT && last_k);

always @* begin
    next_job = job + 1;  // most jobs are followed by the next in the list
    case (job)
        TRACE_Q, TRACE_P:
            if (job == FIRST_TRACE) next_job = SECOND_TRACE;
            else if (!(last_j && last_b)) next_job = FIRST_TRACE;
            else next_job = U_READS_NEW != 0 ? MEMBRANE : IDLE;
        SPIKE: if (READS_SPIKES != 0) next_job = last_i ? READOUT : MEMBRANE;
        SIGMA: if (SURROGATE != 1) next_job = last_i ? READOUT : MEMBRANE;
        PARABOLA: next_job = last_i ? READOUT : MEMBRANE;
        READOUT:
            if (!last_k) next_job = READOUT;
            else if (!last_b) next_job = MEMBRANE;
            else next_job = targets ? ERROR : RESET;
        ERROR: next_job = last_k ? SLOPE : ERROR;
        SLOPE: next_job = SURROGATE >= 2 ? SQUARE : BACK;
        DELTA: next_job = !last_i ? SLOPE : !last_b ? ERROR : GRADIENT;
        GRADIENT:
            if (learn) next_job = ADAMAX != 0 ? MAXIMUM : UPDATE;
            else next_job = last_j && last_i ? RESET : GRADIENT;
        UPDATE: next_job = last_j && last_i ? RESET : GRADIENT;
        RESET:
            if (!(last_i && last_b)) next_job = RESET;
            else next_job = U_READS_NEW != 0 ? IDLE : FIRST_TRACE;
        default: ;
    endcase
end

task move_on;
    begin
        if (ends_input || ends_weight) j <= last_j ? 0 : j + 1;
        if (ends_output) begin
            k <= last_k ? 0 : k + 1;
            n_k <= last_k ? 0 : n_k + ROW;
        end
        if (ends_neuron || (ends_weight && last_j)) begin
            i <= last_i ? 0 : i + 1;
            in_i <= last_i ? 0 : in_i + ROW_IN;
        end
        if (ends_sample) begin
            b <= last_b ? 0 : b + 1;
            in_b <= last_b ? 0 : in_b + ROW_IN;
            n_b <= last_b ? 0 : n_b + ROW;
            out_b <= last_b ? 0 : out_b + N_OUT;
        end
    end
endtask

// nearest(a / b) = floor(a / b + 1/2) = floor((2 a + b) / (2 b)) for b > 0: long division, one bit in each cycle.
//
// `start` takes a and b; `done` is high for one cycle when the quotient stands, WIDTH + 1 cycles later.

module divide #(
    parameter WIDTH = 60  // bits of 2 a + b and of 2 b, without sign
) (
    input wire clk,
    input wire start,
    input wire signed [63:0] a,
    input wire signed [63:0] b,
    output reg done,
    output wire signed [63:0] quotient
);
    reg negative, busy;
    reg [WIDTH-1:0] left, divisor, result;  // `left`: the bits of the dividend that are still to come
    /* verilator lint_off UNUSED */  // the highest bits stay 0
    reg [WIDTH:0] rest;

    wire signed [63:0] dividend = 2 * a + b;
    // floor(-n / d) = -floor((n + d - 1) / d)
    wire signed [63:0] magnitude = dividend < 0 ? 2 * b - 1 - dividend : dividend;
    /* verilator lint_on UNUSED */
    reg [6:0] count;
    wire [WIDTH:0] shifted = {rest[WIDTH-1:0], left[WIDTH-1]};
    wire fits = shifted >= {1'b0, divisor};

    assign quotient = negative ? -$signed({{64 - WIDTH{1'b0}}, result}) : $signed({{64 - WIDTH{1'b0}}, result});

    initial busy = 0;

    always @(posedge clk) begin
        done <= busy && count == 1;
        if (start) begin
            busy <= 1;
            negative <= dividend < 0;
            left <= magnitude[WIDTH-1:0];
            divisor <= {b[WIDTH-2:0], 1'b0};
            result <= 0;
            rest <= 0;
            count <= WIDTH;
        end else if (busy) begin
            left <= left << 1;
            result <= {result[WIDTH-2:0], fits};
            rest <= fits ? shifted - {1'b0, divisor} : shifted;
            count <= count - 1;
            busy <= count != 1;
        end
    end
endmodule

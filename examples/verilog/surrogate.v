// Theta, sigma and sigma' of the number that a job computed, in Q8.16; what needs a product or a division is left to it.

module surrogate #(
    parameter SURROGATE = 0,  // 0: boxcar, 1: piecewise_linear, 2: fast_sigmoid, 3: fast_sigmoid_10
    parameter ABOVE = 0       // S = 1 if U > 0, else if U >= 0
) (
    input wire signed [31:0] x,        // U
    output wire signed [31:0] spike,   // Theta(x)
    output reg signed [31:0] sigma,    // sigma(x) of a boxcar; for the others the number that is needed next
    output reg signed [31:0] slope     // sigma'(x) of a boxcar or piecewise_linear; else 1 + s |x|
);
    localparam signed [31:0] ONE = 65536, HALF = 32768;

    wire signed [31:0] m = x < 0 ? -x : x;
    wire signed [31:0] near = m < ONE ? m : ONE;

    assign spike = (ABOVE != 0 ? x > 0 : x >= 0) ? ONE : 0;

    always @* begin
        if (SURROGATE == 0) begin
            sigma = x <= -HALF ? 0 : x <= HALF ? x + HALF : ONE;  // clip(x + 1/2, 0, 1)
            slope = x > -HALF && x <= HALF ? ONE : 0;             // 1 for -1/2 < x <= 1/2
        end else if (SURROGATE == 1) begin
            sigma = near;                                         // then 1/2 +- near (2 - near) / 2
            slope = ONE - near;                                   // max(0, 1 - |x|)
        end else begin
            sigma = x;                                                    // then 1/2 + x / (1 + s |x|)
            slope = ONE + (SURROGATE == 3 ? (m <<< 3) + (m <<< 1) : m);   // then 1 / (1 + s |x|)^2
        end
    end
endmodule

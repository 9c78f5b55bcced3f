// The arithmetic of the layer: a memory with two read ports, and one multiply-accumulate unit behind them.
//
//     cycle 1   `valid`: the words at address_a and address_b are read
//     cycle 2   their product is added to the sum, or subtracted; `first` begins a new sum
//     cycle 3   the sum stands; x is the sum as a number: rounded to the nearest, halves up, then saturated
//
// A number is Q8.16: the integer q stands for q / 2^16, from -2^24 to 2^24 - 1.  Products and sums are exact, in units
// of 2^-32: a product of two numbers is at most 2^48, so 8192 of them fit in 64 bits (counts, which may be larger, occur
// in sums of two only).

module mac #(
    parameter WORDS = 64,
    parameter ADDRESS = 6
) (
    input wire clk,
    input wire valid,
    input wire first,
    input wire minus,
    input wire [ADDRESS-1:0] address_a,
    input wire [ADDRESS-1:0] address_b,
    input wire write,
    input wire [ADDRESS-1:0] write_address,
    input wire signed [31:0] write_data,
    output reg signed [31:0] b,     // the word at address_b
    output reg signed [63:0] sum,
    output wire signed [31:0] x
);
    localparam signed [63:0] MOST = (1 << 24) - 1, LEAST = -(1 << 24);

    reg signed [31:0] memory[0:WORDS-1];
    reg signed [31:0] a;
    reg valid_2, first_2, minus_2;

    wire signed [63:0] product = a * b;
    wire signed [63:0] start = first_2 ? 64'sd0 : sum;
    wire signed [63:0] rounded = (sum + 64'sd32768) >>> 16;

    assign x = rounded > MOST ? MOST[31:0] : rounded < LEAST ? LEAST[31:0] : rounded[31:0];

    always @(posedge clk) begin
        if (write) memory[write_address] <= write_data;
        a <= memory[address_a];
        b <= memory[address_b];
        {valid_2, first_2, minus_2} <= {valid, first, minus};
        if (valid_2) sum <= minus_2 ? start - product : start + product;
    end
endmodule

using System.Globalization;
using Garden.Kernels.Compilation;
using Garden.Kernels.Tests.Experts.Model;

namespace Garden.Kernels.Tests.Device;

/// <summary>The blocks that stand for Hopper's instructions, carried out step by step on the host: what they give, not how they are written.</summary>
public sealed class PtxBeforeHopperTests
{
    [Fact]
    public void TheLargerOfBothHalves()
    {
        var random = new Random(1);
        for (int i = 0; i < 1000; i++)
        {
            uint a = (uint)random.NextInt64(1L << 32), b = i % 3 == 0 ? a ^ 0x0001_0000 : (uint)random.NextInt64(1L << 32);
            uint expected = Math.Max(a & 0xFFFF, b & 0xFFFF) | (Math.Max(a >> 16, b >> 16) << 16);
            Assert.Equal(expected, Run("max.u16x2 %r3, \t%r1, \t%r2;", ("%r1", a), ("%r2", b))["%r3"]);
            // The result may stand where an operand does.
            Assert.Equal(expected, Run("max.u16x2 %r1, %r1, %r2;", ("%r1", a), ("%r2", b))["%r1"]);
        }
    }

    [Fact]
    public void TwoSinglesBecomeE4M3()
    {
        var random = new Random(2);
        float[] special = [0, 448, 447.99f, 449, 464, 1e30f, float.MaxValue, float.PositiveInfinity, float.NaN, float.Epsilon, MathF.ScaleB(1, -6), MathF.ScaleB(1, -10), MathF.ScaleB(3, -10)];
        var values = new List<float>(special);
        for (uint code = 0; code < 0x7E; code++)
        {
            uint bits = BitConverter.SingleToUInt32Bits((float)FloatFormat.Float8.Decode(code)), next = BitConverter.SingleToUInt32Bits((float)FloatFormat.Float8.Decode(code + 1));
            float tie = (float)((FloatFormat.Float8.Decode(code) + FloatFormat.Float8.Decode(code + 1)) / 2);
            values.AddRange([BitConverter.UInt32BitsToSingle(bits), BitConverter.UInt32BitsToSingle(next - 1), tie, MathF.BitIncrement(tie), MathF.BitDecrement(tie)]);
        }

        foreach (float high in values.SelectMany(static value => new[] { value, -value }))
        {
            float low = values[random.Next(values.Count)];
            uint pair = Run("{ .reg .b16 l; cvt.rn.satfinite.e4m3x2.f32 l, \t%f2, %f1; }", ("%f1", BitConverter.SingleToUInt32Bits(low)), ("%f2", BitConverter.SingleToUInt32Bits(high)))["l"];
            uint expected = (FloatFormat.Float8.Encode(high) << 8) | FloatFormat.Float8.Encode(low);
            Assert.True(expected == pair, $"{high:r} and {low:r} became {pair:x4}, not {expected:x4}");
        }
    }

    /// <summary>Registers after the rewritten text.</summary>
    private static Dictionary<string, uint> Run(string ptx, params (string Name, uint Value)[] registers)
    {
        Dictionary<string, uint> values = registers.ToDictionary(static register => register.Name, static register => register.Value);
        string text = PtxBeforeHopper.Rewrite(ptx).Replace('{', ' ').Replace('}', ' ');
        foreach (string line in text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Where(static line => !line.StartsWith(".reg", StringComparison.Ordinal)))
        {
            string[] parts = line.Split([' ', '\t', ','], StringSplitOptions.RemoveEmptyEntries);
            uint[] from = [.. parts[2..].Select(operand => Value(values, operand))];
            values[parts[1]] = Step(parts[0], from);
        }

        return values;
    }

    private static uint Value(Dictionary<string, uint> values, string operand) => operand switch
    {
        ['0', 'x', .. string digits] => uint.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture),
        ['0', 'f', .. string digits] => uint.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture),
        [>= '0' and <= '9', ..] => uint.Parse(operand, CultureInfo.InvariantCulture),
        _ => values[operand],
    };

    private static uint Step(string instruction, uint[] from) => instruction switch
    {
        "mov.b32" => from[0],
        "and.b32" => from[0] & from[1],
        "or.b32" => from[0] | from[1],
        "shl.b32" => from[0] << (int)from[1],
        "shr.u32" => from[0] >> (int)from[1],
        "add.u32" => from[0] + from[1],
        "sub.u32" => from[0] - from[1],
        "max.u32" => Math.Max(from[0], from[1]),
        "mul.rn.f32" => BitConverter.SingleToUInt32Bits(BitConverter.UInt32BitsToSingle(from[0]) * BitConverter.UInt32BitsToSingle(from[1])),
        "add.rn.f32" => BitConverter.SingleToUInt32Bits(BitConverter.UInt32BitsToSingle(from[0]) + BitConverter.UInt32BitsToSingle(from[1])),
        "setp.lt.u32" => from[0] < from[1] ? 1u : 0,
        "setp.ge.u32" => from[0] >= from[1] ? 1u : 0,
        "setp.gt.u32" => from[0] > from[1] ? 1u : 0,
        "selp.b32" => from[2] != 0 ? from[0] : from[1],
        "cvt.u16.u32" => from[0] & 0xFFFF,
        _ => throw new ArgumentException($"{instruction} is no instruction of the blocks.", nameof(instruction)),
    };
}

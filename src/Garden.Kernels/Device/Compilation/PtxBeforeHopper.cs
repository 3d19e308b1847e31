using System.Text.RegularExpressions;

namespace Garden.Kernels.Compilation;

/// <summary>
/// Rewrites what kernels use of Hopper for older devices, whose driver would refuse the module. Each instruction becomes a block with registers of its own,
/// so their names meet no others.
/// </summary>
/// <remarks>Sources: "Target ISA Notes" of griddepcontrol, max and cvt in NVIDIA's PTX ISA 8.0.</remarks>
internal static partial class PtxBeforeHopper
{
    /// <summary>
    /// The e4m3 of a number, of its bits: the steps of <see cref="NarrowFloat"/> on the host. Below 2⁻⁶ it is a multiple of 2⁻⁹, which the sum with 2²³ rounds to;
    /// from 448 on it is 448, and a NaN is 0x7F.
    /// </summary>
    private const string Float8 =
        "mov.b32 g_bits, ${0}; and.b32 g_size, g_bits, 0x7FFFFFFF; mov.b32 g_real, g_size; "
        + "mul.rn.f32 g_real, g_real, 0f44000000; add.rn.f32 g_real, g_real, 0f4B000000; mov.b32 g_small, g_real; sub.u32 g_small, g_small, 0x4B000000; "
        + "shr.u32 g_{0}, g_size, 20; and.b32 g_{0}, g_{0}, 1; add.u32 g_{0}, g_{0}, g_size; add.u32 g_{0}, g_{0}, 0x7FFFF; shr.u32 g_{0}, g_{0}, 20; sub.u32 g_{0}, g_{0}, 960; "
        + "setp.lt.u32 g_is, g_size, 0x3C800000; selp.b32 g_{0}, g_small, g_{0}, g_is; "
        + "setp.ge.u32 g_is, g_size, 0x43E00000; selp.b32 g_{0}, 0x7E, g_{0}, g_is; "
        + "shr.u32 g_bits, g_bits, 24; and.b32 g_bits, g_bits, 0x80; or.b32 g_{0}, g_{0}, g_bits; "
        + "setp.gt.u32 g_is, g_size, 0x7F800000; selp.b32 g_{0}, 0x7F, g_{0}, g_is; ";

    private static readonly string s_float8Pair =
        "{ .reg .pred g_is; .reg .f32 g_real; .reg .b32 g_bits, g_size, g_small, g_high, g_low; "
        + Float8.Replace("${0}", "${high}", StringComparison.Ordinal).Replace("{0}", "high", StringComparison.Ordinal)
        + Float8.Replace("${0}", "${low}", StringComparison.Ordinal).Replace("{0}", "low", StringComparison.Ordinal)
        + "shl.b32 g_high, g_high, 8; or.b32 g_low, g_low, g_high; cvt.u16.u32 ${to}, g_low; }";

    /// <summary>The same module for a device older than compute capability 9.0.</summary>
    public static string Rewrite(string ptx)
    {
        // Kernels do not overlap before Hopper: there is nothing to wait for.
        ptx = Overlap().Replace(ptx, "");
        ptx = MaxOfPairs().Replace(
            ptx,
            "{ .reg .b32 g_low, g_high, g_other; and.b32 g_low, ${a}, 0xFFFF; and.b32 g_other, ${b}, 0xFFFF; max.u32 g_low, g_low, g_other; "
            + "shr.u32 g_high, ${a}, 16; shr.u32 g_other, ${b}, 16; max.u32 g_high, g_high, g_other; shl.b32 g_high, g_high, 16; or.b32 ${to}, g_low, g_high; }");
        return Float8Pair().Replace(ptx, s_float8Pair);
    }

    [GeneratedRegex(@"^\s*griddepcontrol\.\w+;\s*$", RegexOptions.Multiline)]
    private static partial Regex Overlap();

    [GeneratedRegex(@"\bmax\.u16x2\s+(?<to>[%\w]+),\s*(?<a>[%\w]+),\s*(?<b>[%\w]+);")]
    private static partial Regex MaxOfPairs();

    [GeneratedRegex(@"\bcvt\.rn\.satfinite\.e4m3x2\.f32\s+(?<to>[%\w]+),\s*(?<high>[%\w]+),\s*(?<low>[%\w]+);")]
    private static partial Regex Float8Pair();
}

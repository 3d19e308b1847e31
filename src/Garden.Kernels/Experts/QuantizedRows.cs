using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// BF16 activations that are quantised to e4m3 on the way. Of each block: a = the largest magnitude, 2⁻⁶⁴ at least; scale = a ÷ 448; an element
/// becomes e4m3(x × (448 ÷ a)). Each operation is rounded once to single precision. A NaN or infinity makes its block's scale one.
/// </summary>
/// <remarks>A set of lanes has a block; each lane takes 16 elements at a time: 32 bytes in, 16 bytes out.</remarks>
/// <typeparam name="TRouting">The routing; its blocks are multiples of 16 elements.</typeparam>
public readonly unsafe struct QuantizedRows<TRouting> : IDispatchRows<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private const int Elements = 16;
    private const int MostLanes = 8;

    /// <summary>bfloat16 bits of 2⁻⁶⁴: below it 448 ÷ a would come near overflow.</summary>
    private const uint LeastMagnitude = (127 - 64) << 7;

    /// <inheritdoc/>
    public static int InputRowBytes => TRouting.HiddenSize * 2;

    /// <inheritdoc/>
    public static void Write(ExpertKernelArgs arguments, int first, int end)
    {
        int pieces = TRouting.ScaleBlock / Elements;
        int lanes = MostLanes;
        while (lanes > Warp.WarpSize || pieces % lanes != 0)
            lanes >>= 1;
        int perLane = pieces / lanes, blocks = TRouting.ScaleCount;
        int work = (end - first) * blocks * lanes;
        // Whole warps go round together: lanes without work shuffle too.
        for (int begin = 0; begin < work; begin += Group.DimX)
        {
            int i = begin + Group.IdxX;
            bool active = i < work;
            int set = i / lanes, lane = i % lanes;
            int token = first + (set / blocks), block = set % blocks;
            ulong input = arguments.Input + ((ulong)token * (ulong)InputRowBytes) + (ulong)(block * TRouting.ScaleBlock * 2);
            uint most = LeastMagnitude;
            Vector16 low = default, high = default;
            for (int piece = 0; piece < perLane; piece++)
            {
                if (!active)
                    continue;
                ulong at = input + (ulong)(((piece * lanes) + lane) * Elements * 2);
                low = GlobalMemory.Load16(at);
                high = GlobalMemory.Load16(at + 16);
                most = Max(Max(most, low), high);
            }

            for (int distance = 1; distance < lanes; distance <<= 1)
                most = uint.Max(most, Warp.ShuffleXor(most, distance));
            if (!active)
                continue;
            float magnitude = NarrowFloat.LowBFloat16(most);
            float scale = RoundedMath.Divide(magnitude, NarrowFloat.Float8Max), inverse = RoundedMath.Divide(NarrowFloat.Float8Max, magnitude);
            // Safe: a token has TopK destinations, and rows have HiddenSize elements and ScaleCount scales.
            ulong* destinations = (ulong*)arguments.Destinations + (token * TRouting.TopK);
            for (int piece = 0; piece < perLane; piece++)
            {
                int element = (block * TRouting.ScaleBlock) + (((piece * lanes) + lane) * Elements);
                if (perLane != 1)
                {
                    ulong at = input + (ulong)(((piece * lanes) + lane) * Elements * 2);
                    low = GlobalMemory.Load16(at);
                    high = GlobalMemory.Load16(at + 16);
                }

                Vector16 value = new()
                {
                    A = Quantize(low.A, low.B, inverse),
                    B = Quantize(low.C, low.D, inverse),
                    C = Quantize(high.A, high.B, inverse),
                    D = Quantize(high.C, high.D, inverse),
                };
                for (int k = 0; k < TRouting.TopK; k++)
                {
                    if (destinations[k] != 0)
                        GlobalMemory.Store16(destinations[k] + (ulong)element, value);
                }
            }

            if (lane != 0)
                continue;
            for (int k = 0; k < TRouting.TopK; k++)
            {
                if (destinations[k] != 0)
                    GlobalMemory.Store4(destinations[k] + (ulong)(TRouting.ScalesOffset + (4 * block)), Interop.FloatAsInt(scale));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Max(uint most, Vector16 value) => Max(Max(Max(Max(most, value.A), value.B), value.C), value.D);

    /// <summary>Magnitudes of bfloat16 compare like their bits; NaNs are the largest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Max(uint most, uint pair) => uint.Max(uint.Max(most, pair & 0x7FFF), (pair >> 16) & 0x7FFF);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Quantize(uint first, uint second, float inverse) => NarrowFloat.PackFloat8(
        RoundedMath.Multiply(NarrowFloat.LowBFloat16(first), inverse),
        RoundedMath.Multiply(NarrowFloat.HighBFloat16(first), inverse),
        RoundedMath.Multiply(NarrowFloat.LowBFloat16(second), inverse),
        RoundedMath.Multiply(NarrowFloat.HighBFloat16(second), inverse));
}

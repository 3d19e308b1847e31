using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels.Experts;

/// <summary>
/// BF16 activations that are quantised to e4m3 on the way. Of each block: a = the largest magnitude, 2⁻⁶⁴ at least; scale = a ÷ 448; an element
/// becomes e4m3(x × (448 ÷ a)). Each operation is rounded once to single precision. A NaN or infinity makes its block's scale one.
/// </summary>
/// <remarks>A set of lanes has a block; each lane takes 16 elements at a time: 32 bytes in, 16 bytes out.</remarks>
/// <typeparam name="TRouting">The routing; its blocks are multiples of 16 elements.</typeparam>
public readonly struct QuantizedRows<TRouting> : IDispatchRows<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private const int Elements = 16;
    private const int MostLanes = 8;

    /// <summary>bfloat16 bits of 2⁻⁶⁴: below it 448 ÷ a would come near overflow.</summary>
    private const uint LeastMagnitude = (127 - 64) << 7;

    /// <inheritdoc/>
    public static int InputRowBytes => TRouting.HiddenSize * 2;

    private static int Pieces => TRouting.ScaleBlock / Elements;

    /// <inheritdoc/>
    public static EarlyPieces LoadEarly(ExpertKernelArgs arguments, int token)
    {
        EarlyPieces pieces = default;
        if (!IsWhole(MostLanes) && !IsWhole(CpuDevice.ThreadsPerWarp))
            return pieces;
        int work = TRouting.ScaleCount * Pieces, i = Group.IdxX, next = i + Group.DimX;
        ulong at = arguments.Input + ((ulong)token * (ulong)InputRowBytes) + ((ulong)i * Elements * 2), nextAt = at + ((ulong)Group.DimX * Elements * 2);
        if (i < work)
        {
            pieces.A = GlobalMemory.Load16(at);
            pieces.B = GlobalMemory.Load16(at + 16);
        }

        if (next < work)
        {
            pieces.C = GlobalMemory.Load16(nextAt);
            pieces.D = GlobalMemory.Load16(nextAt + 16);
        }

        return pieces;
    }

    /// <inheritdoc/>
    public static void Write(
        ExpertKernelArgs arguments, ArrayView<int> shared, int destinations, int counts, int begin, int count, RowTeam team, bool isEarly, EarlyPieces early)
    {
        // Numbers of lanes are constants in each branch: what is left divides by constants.
        if (IsWhole(MostLanes))
            WriteWhole(arguments, shared, destinations, counts, begin, count, MostLanes, team, isEarly, early);
        else if (IsWhole(CpuDevice.ThreadsPerWarp))
            WriteWhole(arguments, shared, destinations, counts, begin, count, CpuDevice.ThreadsPerWarp, team, isEarly, early);
        else
            WritePieces(arguments, shared, destinations, counts, begin, count, Pieces);
    }

    /// <summary>True when a block has as many pieces as lanes that one warp has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsWhole(int lanes) => Pieces == lanes && (CudaAsm.IsSupported || lanes <= CpuDevice.ThreadsPerWarp);

    /// <summary>A lane has one piece of a block and keeps it in registers; two blocks are on their way at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteWhole(
        ExpertKernelArgs arguments, ArrayView<int> shared, int destinations, int counts, int begin, int count, int lanes, RowTeam team, bool isEarly, EarlyPieces early)
    {
        int work = TRouting.ScaleCount * lanes;
        for (int token = team.First; token < count; token += team.Step)
        {
            ulong input = arguments.Input + ((ulong)(begin + token) * (ulong)InputRowBytes);
            // Whole warps go round together: lanes without work shuffle too. They load the last piece again.
            for (int start = 0; start < work; start += 2 * team.Width)
            {
                int i = start + team.Lane, next = i + team.Width;
                Vector16 low = early.A, high = early.B, nextLow = early.C, nextHigh = early.D;
                if (!isEarly || start != 0)
                {
                    ulong at = input + ((ulong)(i < work ? i : work - 1) * Elements * 2), nextAt = input + ((ulong)(next < work ? next : work - 1) * Elements * 2);
                    low = GlobalMemory.Load16(at);
                    high = GlobalMemory.Load16(at + 16);
                    nextLow = GlobalMemory.Load16(nextAt);
                    nextHigh = GlobalMemory.Load16(nextAt + 16);
                }

                uint most = Most(low, high), nextMost = Most(nextLow, nextHigh);
                for (int distance = 1; distance < lanes; distance <<= 1)
                {
                    most = uint.Max(most, Warp.ShuffleXor(most, distance));
                    nextMost = uint.Max(nextMost, Warp.ShuffleXor(nextMost, distance));
                }

                if (i < work)
                    Store(shared, destinations, counts, token, i, lanes, most, low, high);
                if (next < work)
                    Store(shared, destinations, counts, token, next, lanes, nextMost, nextLow, nextHigh);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ArrayView<int> shared, int destinations, int counts, int token, int piece, int lanes, uint most, Vector16 low, Vector16 high)
    {
        float magnitude = NarrowFloat.LowBFloat16(most);
        float inverse = RoundedMath.Divide(NarrowFloat.Float8Max, magnitude);
        RowTargets<TRouting>.Store16(shared, destinations, counts, token, (ulong)(piece * Elements), Quantize(low, high, inverse));
        if (piece % lanes != 0)
            return;
        float scale = RoundedMath.Divide(magnitude, NarrowFloat.Float8Max);
        RowTargets<TRouting>.Store4(shared, destinations, counts, token, (ulong)(TRouting.ScalesOffset + (4 * (piece / lanes))), Interop.FloatAsInt(scale));
    }

    /// <summary>A lane has several pieces of a block and reads them twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WritePieces(ExpertKernelArgs arguments, ArrayView<int> shared, int destinations, int counts, int begin, int count, int pieces)
    {
        int lanes = MostLanes;
        while (lanes > Warp.WarpSize || pieces % lanes != 0)
            lanes >>= 1;
        int perLane = pieces / lanes, blocks = TRouting.ScaleCount, work = count * blocks * lanes;
        for (int start = 0; start < work; start += Group.DimX)
        {
            int i = start + Group.IdxX;
            bool active = i < work;
            int set = i / lanes, lane = i % lanes;
            int token = set / blocks, block = set % blocks;
            ulong input = arguments.Input + ((ulong)(begin + token) * (ulong)InputRowBytes) + (ulong)(block * TRouting.ScaleBlock * 2);
            uint most = LeastMagnitude;
            for (int piece = 0; piece < perLane && active; piece++)
            {
                ulong at = input + (ulong)(((piece * lanes) + lane) * Elements * 2);
                most = uint.Max(most, Most(GlobalMemory.Load16(at), GlobalMemory.Load16(at + 16)));
            }

            for (int distance = 1; distance < lanes; distance <<= 1)
                most = uint.Max(most, Warp.ShuffleXor(most, distance));
            if (!active)
                continue;
            float magnitude = NarrowFloat.LowBFloat16(most);
            float scale = RoundedMath.Divide(magnitude, NarrowFloat.Float8Max), inverse = RoundedMath.Divide(NarrowFloat.Float8Max, magnitude);
            for (int piece = 0; piece < perLane; piece++)
            {
                int element = ((piece * lanes) + lane) * Elements;
                ulong at = input + (ulong)(element * 2);
                Vector16 value = Quantize(GlobalMemory.Load16(at), GlobalMemory.Load16(at + 16), inverse);
                RowTargets<TRouting>.Store16(shared, destinations, counts, token, (ulong)((block * TRouting.ScaleBlock) + element), value);
            }

            if (lane == 0)
                RowTargets<TRouting>.Store4(shared, destinations, counts, token, (ulong)(TRouting.ScalesOffset + (4 * block)), Interop.FloatAsInt(scale));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector16 Quantize(Vector16 low, Vector16 high, float inverse) => new()
    {
        A = Quantize(low.A, low.B, inverse),
        B = Quantize(low.C, low.D, inverse),
        C = Quantize(high.A, high.B, inverse),
        D = Quantize(high.C, high.D, inverse),
    };

    /// <summary>The largest magnitude of 16 elements, and of the least. Magnitudes of bfloat16 compare like their bits; NaNs are the largest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Most(Vector16 low, Vector16 high)
    {
        uint pairs = MaxPairs(MaxPairs(Pair(low.A, low.B), Pair(low.C, low.D)), MaxPairs(Pair(high.A, high.B), Pair(high.C, high.D)));
        return uint.Max(LeastMagnitude, uint.Max(pairs & 0xFFFF, pairs >> 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Pair(uint first, uint second) => MaxPairs(first & 0x7FFF_7FFF, second & 0x7FFF_7FFF);

    /// <summary>The larger of both lower halves and of both upper halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint MaxPairs(uint first, uint second)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("max.u16x2 %0, %1, %2;", out uint most, first, second);
            return most;
        }

        return uint.Max(first & 0xFFFF, second & 0xFFFF) | (uint.Max(first >> 16, second >> 16) << 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Quantize(uint first, uint second, float inverse) => NarrowFloat.PackFloat8(
        RoundedMath.Multiply(NarrowFloat.LowBFloat16(first), inverse),
        RoundedMath.Multiply(NarrowFloat.HighBFloat16(first), inverse),
        RoundedMath.Multiply(NarrowFloat.LowBFloat16(second), inverse),
        RoundedMath.Multiply(NarrowFloat.HighBFloat16(second), inverse));
}

using System.Runtime.CompilerServices;
using ILGPU;

namespace Garden.Kernels.Weights;

/// <summary>
/// bfloat16 to e4m3 with a scale for each block of 128 × 128, with the bits of <see cref="Garden.Weights.Float8BlocksReference"/>. A group of
/// threads has a block. Of a whole one each of 256 threads reads 128 bytes, finds the largest magnitude, and converts what
/// it still has in registers: memory is read once. Blocks at an edge are read twice; those with infinities, NaNs or magnitudes beyond
/// 2^±64 are divided element by element.
/// </summary>
/// <remarks>Elements are multiplied by the scale's inverse in two parts, which rounds like the quotient; Core's tests try every value.</remarks>
public static unsafe class Float8Convert
{
    /// <summary>Threads of a group that keeps a block in registers. Groups have no more.</summary>
    public const int GroupThreads = 256;

    private const uint Size = 128;
    private const int VectorElements = 8;
    private const uint RowThreads = Size / VectorElements;
    private const uint NonFinite = 0x7F80;
    private const uint LeastFast = (127 - 64) << 7;
    private const uint MostFast = (127 + 64) << 7;

    /// <summary>No magnitude: the block is converted.</summary>
    private const uint Done = uint.MaxValue;

    /// <summary>The most warps of a group: the CPU accelerator's have 4 threads.</summary>
    private const int MostWarps = GroupThreads / 4;

    /// <summary>The kernel: columns of blocks go to the grid's X, rows of them, of all matrices, to its Y.</summary>
    public static void Run(Float8ConvertArgs arguments)
    {
        ArrayView<uint> shared = ILGPU.SharedMemory.Allocate<uint>(MostWarps);
        uint blockColumns = (arguments.Columns + Size - 1) / Size, blockRows = (arguments.Rows + Size - 1) / Size;
        for (uint row = (uint)Grid.IdxY; row < blockRows * arguments.Matrices; row += (uint)Grid.DimY)
        {
            uint matrix = row / blockRows, blockRow = row - (matrix * blockRows);
            for (uint blockColumn = (uint)Grid.IdxX; blockColumn < blockColumns; blockColumn += (uint)Grid.DimX)
            {
                uint rows = uint.Min(Size, arguments.Rows - (blockRow * Size)), columns = uint.Min(Size, arguments.Columns - (blockColumn * Size));
                ulong first = ((((ulong)matrix * arguments.Rows) + (blockRow * Size)) * arguments.Columns) + (blockColumn * Size);
                ulong scale = arguments.Scales + (4 * (((ulong)row * blockColumns) + blockColumn));
                // The same for all threads of a group, so that they meet at the same barriers.
                uint most = 0;
                if (arguments.Wide != 0 && Group.DimX == GroupThreads && rows == Size && columns == Size)
                    most = Whole(arguments, shared, first, scale);
                else if (arguments.Wide != 0)
                    most = Vectors(arguments, shared, first, rows, columns, scale);
                if (most != Done)
                    Part(arguments, shared, first, rows, columns, scale, most);
            }
        }
    }

    /// <summary>
    /// A block in registers; what is left to <see cref="Part"/> has its largest magnitude. Safe: it lies in the matrix whole, and thread t has
    /// row 16 k + t / 16 of each k, 8 elements from t % 16 × 8 on.
    /// </summary>
    private static uint Whole(Float8ConvertArgs arguments, ArrayView<uint> shared, ulong first, ulong scaleAddress)
    {
        uint thread = (uint)Group.IdxX;
        ulong element = first + ((ulong)(thread / RowThreads) * arguments.Columns) + (thread % RowThreads * VectorElements);
        ulong step = GroupThreads / RowThreads * (ulong)arguments.Columns, from = arguments.Source + (2 * element);
        Vector16 a = GlobalMemory.Load16(from);
        Vector16 b = GlobalMemory.Load16(from + (2 * step));
        Vector16 c = GlobalMemory.Load16(from + (4 * step));
        Vector16 d = GlobalMemory.Load16(from + (6 * step));
        Vector16 e = GlobalMemory.Load16(from + (8 * step));
        Vector16 f = GlobalMemory.Load16(from + (10 * step));
        Vector16 g = GlobalMemory.Load16(from + (12 * step));
        Vector16 h = GlobalMemory.Load16(from + (14 * step));
        uint most = uint.Max(uint.Max(uint.Max(Most(a), Most(b)), uint.Max(Most(c), Most(d))), uint.Max(uint.Max(Most(e), Most(f)), uint.Max(Most(g), Most(h))));
        most = GroupMost(shared, most);
        if (!IsFast(most))
            return most;
        float scale = ScaleOf(most), inverse = RoundedMath.Divide(1f, scale), rest = Rest(scale, inverse);
        ulong to = arguments.Destination + element;
        Store(to, a, inverse, rest);
        Store(to + step, b, inverse, rest);
        Store(to + (2 * step), c, inverse, rest);
        Store(to + (3 * step), d, inverse, rest);
        Store(to + (4 * step), e, inverse, rest);
        Store(to + (5 * step), f, inverse, rest);
        Store(to + (6 * step), g, inverse, rest);
        Store(to + (7 * step), h, inverse, rest);
        if (thread == 0)
            GlobalMemory.Store4(scaleAddress, Interop.FloatAsInt(scale));
        return Done;
    }

    /// <summary>A block at an edge, or of a group of another size: read twice, 8 elements at a time. Safe: rows and columns end inside the matrix, columns at a multiple of 8.</summary>
    private static uint Vectors(Float8ConvertArgs arguments, ArrayView<uint> shared, ulong first, uint rows, uint columns, ulong scaleAddress)
    {
        uint perRow = columns / VectorElements, count = rows * perRow, most = 0;
        for (uint i = (uint)Group.IdxX; i < count; i += (uint)Group.DimX)
            most = uint.Max(most, Most(GlobalMemory.Load16(arguments.Source + (2 * (first + VectorOf(arguments, i, perRow))))));
        most = GroupMost(shared, most);
        if (!IsFast(most))
            return most;
        float scale = ScaleOf(most), inverse = RoundedMath.Divide(1f, scale), rest = Rest(scale, inverse);
        for (uint i = (uint)Group.IdxX; i < count; i += (uint)Group.DimX)
        {
            ulong element = first + VectorOf(arguments, i, perRow);
            Store(arguments.Destination + element, GlobalMemory.Load16(arguments.Source + (2 * element)), inverse, rest);
        }

        if (Group.IdxX == 0)
            GlobalMemory.Store4(scaleAddress, Interop.FloatAsInt(scale));
        return Done;
    }

    /// <summary>A block of any size, element by element. Safe: rows and columns end inside the matrix.</summary>
    private static void Part(Float8ConvertArgs arguments, ArrayView<uint> shared, ulong first, uint rows, uint columns, ulong scaleAddress, uint most)
    {
        uint count = rows * columns;
        if (most == 0 || most >= NonFinite)
        {
            most = 0;
            for (uint i = (uint)Group.IdxX; i < count; i += (uint)Group.DimX)
            {
                uint magnitude = GlobalMemory.Load2(arguments.Source + (2 * (first + ElementOf(arguments, i, columns)))) & 0x7FFF;
                most = uint.Max(most, magnitude < NonFinite ? magnitude : 0);
            }

            most = GroupMost(shared, most);
        }

        float scale = ScaleOf(most);
        for (uint i = (uint)Group.IdxX; i < count; i += (uint)Group.DimX)
        {
            ulong element = first + ElementOf(arguments, i, columns);
            uint bits = GlobalMemory.Load2(arguments.Source + (2 * element));
            float quotient = RoundedMath.Divide(NarrowFloat.LowBFloat16(bits), scale);
            // A NaN keeps its sign here, which the conversion takes away.
            GlobalMemory.Store1(arguments.Destination + element, (NarrowFloat.PackFloat8(quotient, 0f, 0f, 0f) & 0xFF) | ((bits >> 8) & 0x80));
        }

        if (Group.IdxX == 0)
            GlobalMemory.Store4(scaleAddress, Interop.FloatAsInt(scale));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsFast(uint most) => most == 0 || (most >= LeastFast && most < MostFast);

    /// <summary>What the inverse lacks, as <c>Float8Scale</c> has it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Rest(float scale, float inverse) => RoundedMath.Multiply(RoundedMath.FusedMultiplyAdd(-scale, inverse, 1f), inverse);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong VectorOf(Float8ConvertArgs arguments, uint index, uint perRow)
    {
        uint row = index / perRow;
        return ((ulong)row * arguments.Columns) + ((index - (row * perRow)) * VectorElements);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong ElementOf(Float8ConvertArgs arguments, uint index, uint columns)
    {
        uint row = index / columns;
        return ((ulong)row * arguments.Columns) + (index - (row * columns));
    }

    /// <summary>The largest magnitude of a block gives its scale; as <c>Float8Blocks</c> has it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float ScaleOf(uint most) => most == 0 ? 1f : RoundedMath.Divide(NarrowFloat.LowBFloat16(most), NarrowFloat.Float8Max);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Most(Vector16 value)
    {
        uint low = uint.Max(uint.Max(value.A & 0x7FFF, value.B & 0x7FFF), uint.Max(value.C & 0x7FFF, value.D & 0x7FFF));
        uint high = uint.Max(uint.Max(value.A & 0x7FFF_FFFF, value.B & 0x7FFF_FFFF), uint.Max(value.C & 0x7FFF_FFFF, value.D & 0x7FFF_FFFF));
        return uint.Max(low, high >> 16);
    }

    /// <summary>The largest of all threads' values, for all threads of the group.</summary>
    private static uint GroupMost(ArrayView<uint> shared, uint most)
    {
        int warps = (Group.DimX + Warp.WarpSize - 1) / Warp.WarpSize;
        for (int distance = 1; distance < Warp.WarpSize; distance <<= 1)
            most = uint.Max(most, Warp.ShuffleXor(most, distance));
        if (Warp.LaneIdx == 0)
            shared[Group.IdxX / Warp.WarpSize] = most;
        Group.Barrier();
        for (int warp = 0; warp < warps; warp++)
            most = uint.Max(most, shared[warp]);
        // The next block writes them again.
        Group.Barrier();
        return most;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ulong address, Vector16 value, float inverse, float rest) =>
        GlobalMemory.Store8(address, Pack(value.A, value.B, inverse, rest) | ((ulong)Pack(value.C, value.D, inverse, rest) << 32));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Pack(uint first, uint second, float inverse, float rest) => NarrowFloat.PackFloat8(
        Quotient(NarrowFloat.LowBFloat16(first), inverse, rest),
        Quotient(NarrowFloat.HighBFloat16(first), inverse, rest),
        Quotient(NarrowFloat.LowBFloat16(second), inverse, rest),
        Quotient(NarrowFloat.HighBFloat16(second), inverse, rest));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Quotient(float value, float inverse, float rest) =>
        RoundedMath.FusedMultiplyAdd(value, inverse, RoundedMath.Multiply(value, rest));
}

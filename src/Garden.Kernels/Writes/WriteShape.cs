using System.Numerics;

namespace Garden.Kernels;

/// <summary>How a list of writes is shared out among the threads of a device.</summary>
internal readonly record struct WriteShape(LaunchShape Launch, int Pieces, int PieceBytes, int Lanes)
{
    /// <summary>Lists cut longer writes, so that one among many short ones is not what all wait for.</summary>
    public const int MostBytes = 128 * 1024;

    private const int GroupThreads = 256;
    private const int LeastPiece = 2048;
    private const int MostPiece = 16 * 1024;
    private const int VectorBytes = 16;

    /// <summary>What a lane moves at a time.</summary>
    private const int LaneBytes = 4 * VectorBytes;

    /// <param name="kernel">The kernel that executes the list.</param>
    /// <param name="count">Writes of the list, 1 or more.</param>
    /// <param name="bytes">Their bytes together.</param>
    /// <param name="longest">Bytes of the longest, those by which its source is beyond a multiple of 16 included: up to <see cref="MostBytes"/>.</param>
    /// <param name="lanes">Threads that share a piece, a power of two up to the group's threads; 0 chooses by the mean length.</param>
    /// <param name="waves">How many times as many groups as run at once there are at most.</param>
    public static WriteShape For(DeviceKernel<ExecuteWritesArgs> kernel, int count, long bytes, long longest, int lanes, int waves)
    {
        KernelDevice device = kernel.Device;
        bool isCpu = device is CpuDevice;
        int piece = MostPiece;
        if (!isCpu)
        {
            // A short list is enough for a group on every multiprocessor. More pieces took longer: each group asks the host for a part of the
            // list, and ends with a fence.
            long share = bytes / ((long)device.Multiprocessors * (GroupThreads / device.WarpSize));
            piece = (int)Math.Clamp((long)BitOperations.RoundUpToPowerOf2((ulong)Math.Max(1, share)), LeastPiece, MostPiece);
        }

        // A piece's place is worked out from the longest write: few of the others' may be empty.
        int pieces = PiecesOf(longest, piece);
        for (; pieces > 1 && (long)count * pieces > (4 * (bytes / piece)) + count; pieces = PiecesOf(longest, piece))
            piece *= 2;
        int most = Math.Min(device.MaxThreadsPerGroup, GroupThreads);
        // A lane has up to four vectors of 16 bytes on their way at once, and two of 256 bytes: that hides more of the memory's latency than a
        // lane for each, with fewer that load the list. No more lanes than a warp.
        long mean = Math.Min(piece, bytes / count);
        if (lanes == 0)
            lanes = mean <= 4 * VectorBytes ? 4 : (int)Math.Clamp((long)BitOperations.RoundUpToPowerOf2((ulong)(mean + LaneBytes - 1) / LaneBytes), Math.Min(8, device.WarpSize), device.WarpSize);
        if (lanes < 1 || lanes > most || !BitOperations.IsPow2(lanes))
            throw new ArgumentOutOfRangeException(nameof(lanes), lanes, $"The lanes of a write are a power of two up to {most}.");
        long threads = checked((long)count * pieces * lanes);
        // A single warp for the shortest: nothing has to be waited for but itself.
        LaunchShape shape = threads <= device.WarpSize ? new LaunchShape(1, device.WarpSize) : kernel.ShapeFor(threads);
        if (!isCpu)
            shape = shape with { Groups = (int)Math.Min((long)shape.Groups * waves, (threads + shape.GroupThreads - 1) / shape.GroupThreads) };
        return new WriteShape(shape, pieces, piece, lanes);
    }

    private static int PiecesOf(long longest, int piece) => (int)((longest + piece - 1) / piece);
}

using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>
/// Makes the pages of a large region present by several threads. Pinning does the same one page after the other, so that a region of hundreds
/// of gigabytes takes minutes; pinning present pages is quick.
/// </summary>
internal static unsafe class PagePresence
{
    /// <summary>Smaller regions are pinned in some ten milliseconds at most.</summary>
    private const long LeastBytes = 64L << 20;

    private const long ChunkBytes = 32L << 20;

    /// <summary>Returns once all whole pages of the range are present, or cannot be made so: pinning then says what is wrong.</summary>
    public static void Ensure(nint address, long length, int threads, IProgress<RegistrationProgress>? progress)
    {
        progress?.Report(new RegistrationProgress(0, length));
        if (length >= LeastBytes)
        {
            nint page = Environment.SystemPageSize;
            nint start = (address + page - 1) / page * page;
            long bytes = (address + (nint)length - start) / page * page;
            long chunks = (bytes + ChunkBytes - 1) / ChunkBytes;
            long present = 0;
            Parallel.For(0, chunks, new ParallelOptions { MaxDegreeOfParallelism = threads }, (chunk, state) =>
            {
                long offset = chunk * ChunkBytes, size = Math.Min(ChunkBytes, bytes - offset);
                // Safe: the chunk lies in the caller's memory; its content stays as it is.
                if (LibC.madvise((void*)(start + (nint)offset), (nuint)size, LibC.MADV_POPULATE_WRITE) != 0)
                    state.Stop();
                else
                    progress?.Report(new RegistrationProgress(Interlocked.Add(ref present, size), length));
            });
        }

        progress?.Report(new RegistrationProgress(length, length));
    }
}

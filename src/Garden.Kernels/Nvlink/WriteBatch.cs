using System.Runtime.CompilerServices;
using Garden.Fabric;

namespace Garden.Kernels.Nvlink;

/// <summary>
/// Writes that go on the stream together. They are resolved into the launch list as they are posted; when the batch goes, each run's
/// keys are looked at once more. The kernel reads the list where it is, in mapped host memory.
/// </summary>
internal sealed unsafe class WriteBatch : IDisposable
{
    /// <summary>The longest write in bytes: whatever its memory is, it fits a batch. A multiple of the units writes are split by.</summary>
    public const long MostBytes = (Capacity - 4L) * EntryBytes;

    private const int Capacity = 8192;

    /// <summary>Most bytes of an entry, so that one among many short ones is not what all wait for.</summary>
    private const int EntryBytes = WriteShape.MostBytes;

    /// <summary>Groups as often as run at once: each ends with a fence of the whole system.</summary>
    private const int Waves = 2;


    /// <summary>Counts of tickets: kernels that run at once have one each.</summary>
    public const int TicketWords = 4;

    private readonly MappedBuffer _list;
    private readonly DeviceWrite* _entries;
    private readonly List<LongWrite> _copies = [];
    private WriteRun[] _runs = new WriteRun[64];
    private int _runCount;
    private long _bytes;
    private long _longest;
    private long _copyBytes;

    public WriteBatch(KernelDevice device)
    {
        _list = device.AllocateMapped((long)Capacity * sizeof(DeviceWrite));
        _entries = (DeviceWrite*)_list.Pointer;
    }

    /// <summary>Writes for the kernel.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of all writes.</summary>
    public long Bytes => _bytes + _copyBytes;

    public bool IsEmpty => Count == 0 && _copies.Count == 0;

    public Span<WriteRun> Runs => _runs.AsSpan(0, _runCount);

    /// <summary>True when a write still fits; one that is longer than any may be needs no room, because it is refused.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Fits(long length) => length is <= 0 or > MostBytes || Count + (length / EntryBytes) + 2 <= Capacity;

    /// <summary>Adds a run, the last one from now on, and returns its index.</summary>
    public int Begin(in WriteRun run)
    {
        if (_runCount == _runs.Length)
            Array.Resize(ref _runs, 2 * _runCount);
        _runs[_runCount] = run;
        _runs[_runCount].FirstEntry = Count;
        return _runCount++;
    }

    /// <summary>
    /// Adds leading writes of the last run for the kernel, as long as they fit, are no longer than an entry or <paramref name="copyBytes"/>, lie in
    /// the run's regions and have the first one's context and immediate. Returns how many these are.
    /// </summary>
    public int AddAlike(in WriteRun run, ReadOnlySpan<FabricWrite> writes, int copyBytes)
    {
        int most = Math.Min(writes.Length, Capacity - Count), added = 0;
        // In registers: what is done for each write is all there is to a short write's time.
        (int route, ulong localKey, ulong remoteKey, ulong context, uint immediate) = (writes[0].Route, run.LocalKey, run.RemoteKey, writes[0].Context, writes[0].Immediate);
        DeviceRange from = run.Source, to = run.Destination;
        ulong longest = (ulong)Math.Min(EntryBytes, copyBytes - 1);
        long bytes = 0, reach = _longest;
        // Safe: below Capacity, which the list has room for.
        DeviceWrite* entry = _entries + Count;
        for (; added < most; added++)
        {
            ref readonly FabricWrite write = ref writes[added];
            long length = write.Length;
            if (write.Route != route || write.LocalKey != localKey || write.RemoteKey != remoteKey || write.Context != context || write.Immediate != immediate
                || (ulong)(length - 1) >= longest
                || !from.TryLocate(write.LocalAddress, length, out nint source) || !to.TryLocate(write.RemoteAddress, length, out nint destination))
            {
                break;
            }

            long misaligned = source & 15;
            if (length + misaligned > EntryBytes)
                break;
            entry->Source = (ulong)source;
            entry->Destination = (ulong)destination;
            entry->Length = length;
            entry++;
            bytes += length;
            reach = Math.Max(reach, length + misaligned);
        }

        (Count, _bytes, _longest) = (Count + added, _bytes + bytes, reach);
        return added;
    }

    /// <summary>Adds a write of the last run for the kernel. It fits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(nint source, nint destination, long length)
    {
        long misaligned = source & 15;
        if (length + misaligned > EntryBytes)
        {
            AddCut(source, destination, length);
            return;
        }

        // Safe: who adds has asked whether the write fits.
        _entries[Count++] = new DeviceWrite { Source = (ulong)source, Destination = (ulong)destination, Length = length };
        _bytes += length;
        _longest = Math.Max(_longest, length + misaligned);
    }

    /// <summary>Adds a write of the last run for a copy engine.</summary>
    public void AddCopy(nint source, nint destination, long length)
    {
        _copies.Add(new LongWrite(_runCount - 1, source, destination, length));
        _copyBytes += length;
    }

    /// <summary>Takes back what a run would copy.</summary>
    public void Drop(int run)
    {
        int end = run + 1 < _runCount ? _runs[run + 1].FirstEntry : Count;
        // Safe: entries of runs lie below Count.
        for (int i = _runs[run].FirstEntry; i < end; i++)
            _entries[i].Length = 0;
        for (int i = 0; i < _copies.Count; i++)
        {
            if (_copies[i].Run == run)
                _copies[i] = _copies[i] with { Length = 0 };
        }
    }

    /// <summary>Puts the batch on a stream, and behind it a store of its number. One that holds anything.</summary>
    /// <param name="stream">Where to put it.</param>
    /// <param name="kernel">The kernel for short writes.</param>
    /// <param name="tickets">A count in device memory, with which the kernel stores the flag by itself; 0 to leave that to the stream, on the CPU accelerator.</param>
    /// <param name="flag">Where the number is stored.</param>
    /// <param name="number">The number.</param>
    public void Post(DeviceStream stream, DeviceKernel<ExecuteWritesArgs> kernel, nint tickets, nint flag, ulong number)
    {
        bool isFlagged = tickets != 0 && _copies.Count == 0;
        if (Count != 0)
        {
            var shape = WriteShape.For(kernel, Count, _bytes, _longest, 0, Waves);
            var arguments = new ExecuteWritesArgs
            {
                Writes = Count == 1 ? 0 : (ulong)_list.DeviceAddress,
                Only = _entries[0],
                Tickets = isFlagged ? (ulong)tickets + (4 * (number % TicketWords)) : 0,
                Flag = (ulong)flag,
                Value = number,
                Count = Count,
                Pieces = shape.Pieces,
                PieceBytes = shape.PieceBytes,
                Lanes = shape.Lanes,
                // The CPU accelerator reads any memory as fast, and takes long for a barrier.
                IsStaged = Count != 1 && tickets != 0 ? 1 : 0,
            };
            kernel.Launch(stream, shape.Launch with { OverlapsPrevious = isFlagged }, in arguments);
        }

        foreach (LongWrite copy in _copies)
            stream.Copy(copy.Destination, copy.Source, copy.Length);
        if (!isFlagged)
            stream.WriteFlag(flag, number);
    }

    public void Clear()
    {
        Array.Clear(_runs, 0, _runCount);
        _copies.Clear();
        (Count, _runCount, _bytes, _longest, _copyBytes) = (0, 0, 0, 0, 0);
    }

    public void Dispose() => _list.Dispose();

    /// <summary>Cut at multiples of 16 of the source, so that every piece but the first begins aligned.</summary>
    private void AddCut(nint source, nint destination, long length)
    {
        long piece = EntryBytes - (source & 15);
        for (long at = 0; at < length; at += piece, piece = EntryBytes)
        {
            piece = Math.Min(piece, length - at);
            Add(source + (nint)at, destination + (nint)at, piece);
        }
    }
}

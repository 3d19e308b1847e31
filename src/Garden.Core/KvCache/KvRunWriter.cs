using System.ComponentModel;
using System.Runtime.CompilerServices;

namespace Garden.KvCache;

/// <summary>
/// Joins the canonical runs of a generated plan into as few writes as their order allows. Called by generated code.
/// </summary>
/// <remarks>
/// A run is first tried against the write before it, and only then needs room: a write ends where the geometry ends it, never where
/// the caller's span ends, so that the descriptors do not depend on the lengths of the spans they are written to.
/// </remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
public ref struct KvRunWriter
{
    private readonly Span<WriteDescriptor> _descriptors;
    private readonly RegionHandle _source;
    private readonly RegionHandle _destination;
    private readonly Immediate _immediate;
    private long _sourceEnd;
    private long _destinationEnd;
    private int _written;

    /// <summary>A writer for one call of <see cref="ITransferPlan{TSelf}.Expand"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public KvRunWriter(in KvTransferArguments arguments, Span<WriteDescriptor> descriptors)
    {
        _descriptors = descriptors;
        _source = arguments.Source;
        _destination = arguments.Destination;
        _immediate = arguments.Immediate;
        // No run starts here, so nothing joins the write that is not there yet.
        _sourceEnd = -1;
    }

    /// <summary>Descriptors written so far.</summary>
    public readonly int Written
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _written;
    }

    /// <summary>
    /// Joins a run of at least one byte and one unit to the last write, or begins a write with it. False when that needs a descriptor
    /// and the span is full: this run was not taken and the expansion continues with it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAdd(long source, long destination, long length, uint units)
    {
        if (source == _sourceEnd && destination == _destinationEnd && TryJoin(ref _descriptors[_written - 1], length, units))
        {
            _sourceEnd += length;
            _destinationEnd += length;
            return true;
        }

        _sourceEnd = source + length;
        _destinationEnd = destination + length;
        return TryAddApart(source, destination, length, units);
    }

    /// <summary>
    /// Writes a run that is known not to touch the one before it, so that nothing is compared. False when the span is full: this
    /// run was not taken and the expansion continues with it. Not to be mixed with <see cref="TryAdd"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAddApart(long source, long destination, long length, uint units)
    {
        if ((uint)_written >= (uint)_descriptors.Length)
            return false;
        _descriptors[_written++] = WriteDescriptor.Create(_source, source, _destination, destination, length, _immediate, units);
        return true;
    }

    // Static: an instance method that is not inlined would keep the writer's fields in memory.
    private static bool TryJoin(ref WriteDescriptor last, long length, uint units)
    {
        // A user's number is counted once a run, so its runs are never joined.
        if (last.Immediate.IsNumber || last.Units + units > TransferUnits.MaxPerWrite)
            return false;
        last.Length += length;
        last.Units += units;
        return true;
    }
}

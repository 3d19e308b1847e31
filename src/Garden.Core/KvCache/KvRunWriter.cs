using System.ComponentModel;
using System.Runtime.CompilerServices;

namespace Garden.KvCache;

/// <summary>
/// Joins the canonical runs of a generated plan into as few writes as their order allows. Called by generated code.
/// </summary>
/// <remarks>
/// One run is held back until the next one is seen: a write ends where the geometry ends it, never where the caller's
/// span ends, so that the descriptors do not depend on the lengths of the spans they are written to.
/// </remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
public ref struct KvRunWriter
{
    private readonly Span<WriteDescriptor> _descriptors;
    private readonly RegionHandle _source;
    private readonly RegionHandle _destination;
    private readonly Immediate _immediate;
    private readonly uint _mostUnits;
    private long _sourceStart;
    private long _destinationStart;
    private long _length;
    private uint _units;
    private int _written;

    /// <summary>A writer for one call of <see cref="ITransferPlan{TSelf}.Expand"/>; the span must have room for one descriptor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public KvRunWriter(in KvTransferArguments arguments, Span<WriteDescriptor> descriptors)
    {
        _descriptors = descriptors;
        _source = arguments.Source;
        _destination = arguments.Destination;
        _immediate = arguments.Immediate;
        // A user's number is counted once a run, so its runs are never joined.
        _mostUnits = arguments.Immediate.IsNumber ? 0 : (uint)TransferUnits.MaxPerWrite;
        // No run starts here, so nothing joins the run that is not there yet.
        _sourceStart = -1;
    }

    /// <summary>Descriptors written so far.</summary>
    public readonly int Written
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _written;
    }

    /// <summary>
    /// Joins a run of at least one byte and one unit to the run held back, or writes that one and holds this one. False
    /// when that filled the span: this run was not taken and the expansion continues with it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAdd(long source, long destination, long length, uint units)
    {
        if (source == _sourceStart + _length && destination == _destinationStart + _length && _units + units <= _mostUnits)
        {
            _length += length;
            _units += units;
            return true;
        }

        if (_units != 0)
        {
            Write();
            if (_written == _descriptors.Length)
                return false;
        }

        _sourceStart = source;
        _destinationStart = destination;
        _length = length;
        _units = units;
        return true;
    }

    /// <summary>
    /// Writes a run of a plan whose geometry never lets two of them touch, so that none is held back and compared. False when
    /// the span is full: this run was not taken and the expansion continues with it. Not to be mixed with <see cref="TryAdd"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAddApart(long source, long destination, long length, uint units)
    {
        if ((uint)_written >= (uint)_descriptors.Length)
            return false;
        _descriptors[_written++] = WriteDescriptor.Create(_source, source, _destination, destination, length, _immediate, units);
        return true;
    }

    /// <summary>Writes the run held back, for which there is always room, and returns the number of descriptors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Finish()
    {
        if (_units != 0)
            Write();
        return _written;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Write() =>
        _descriptors[_written++] = WriteDescriptor.Create(
            _source, _sourceStart, _destination, _destinationStart, _length, _immediate, _units);
}

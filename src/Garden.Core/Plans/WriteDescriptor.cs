using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden;

/// <summary>
/// One write, relative to a source and a destination region: 48 bytes, blittable, executed alike by a NIC, by a GPU
/// kernel or by a memcpy. Keys, addresses, lanes and provider limits are looked up after expansion.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 48)]
public struct WriteDescriptor
{
    /// <summary>Byte offset of the first byte in the source region.</summary>
    public long SourceOffset;

    /// <summary>Byte offset of the first byte in the destination region.</summary>
    public long DestinationOffset;

    /// <summary>Length in bytes. Zero is an immediate-only write and needs no source.</summary>
    public long Length;

    /// <summary>The registered local region the bytes come from.</summary>
    public RegionHandle Source;

    /// <summary>The imported remote region the bytes go to, or a peer's signal region when nothing but the immediate goes.</summary>
    public RegionHandle Destination;

    /// <summary>What the receiver counts when the write has landed.</summary>
    public Immediate Immediate;

    /// <summary>Units this write carries (see <see cref="TransferUnits"/>); at most <see cref="TransferUnits.MaxPerWrite"/> unless it is a single run, which the engine splits.</summary>
    public uint Units;

    /// <summary>What to do.</summary>
    public WriteOpcode Opcode;

    /// <summary>A write of one run.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WriteDescriptor Create(
        RegionHandle source,
        long sourceOffset,
        RegionHandle destination,
        long destinationOffset,
        long length,
        Immediate immediate,
        uint units)
    {
        WriteDescriptor descriptor;
        Unsafe.SkipInit(out descriptor);
        descriptor.SourceOffset = sourceOffset;
        descriptor.DestinationOffset = destinationOffset;
        descriptor.Length = length;
        descriptor.Source = source;
        descriptor.Destination = destination;
        descriptor.Immediate = immediate;
        descriptor.Units = units;
        // Writes the opcode and the padding behind it in one store, so that descriptors compare bytewise.
        Unsafe.As<WriteOpcode, ulong>(ref descriptor.Opcode) = (ulong)WriteOpcode.Write;
        return descriptor;
    }

    /// <inheritdoc/>
    public override readonly string ToString() =>
        $"{Opcode} {Length} B {Source}+{SourceOffset} -> {Destination}+{DestinationOffset} {Immediate} units {Units}";
}

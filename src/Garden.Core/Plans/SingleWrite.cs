namespace Garden;

/// <summary>One contiguous range to one place: a plan of exactly one run, of any length. 40 bytes, which with its slot's header is one cache line.</summary>
/// <param name="source">The local region; ignored when <paramref name="length"/> is 0.</param>
/// <param name="sourceOffset">Byte offset in the local region.</param>
/// <param name="destination">The remote region.</param>
/// <param name="destinationOffset">Byte offset in the remote region.</param>
/// <param name="length">Bytes to move, 0 or more. Zero posts one immediate-only write.</param>
/// <param name="immediate">What the receiver counts.</param>
public readonly struct SingleWrite(
    RegionHandle source,
    long sourceOffset,
    RegionHandle destination,
    long destinationOffset,
    long length,
    Immediate immediate) : ITransferPlan<SingleWrite>
{
    /// <summary>The local region; ignored when <see cref="Length"/> is 0.</summary>
    public RegionHandle Source { get; } = source;

    /// <summary>The remote region.</summary>
    public RegionHandle Destination { get; } = destination;

    /// <summary>What the receiver counts.</summary>
    public Immediate Immediate { get; } = immediate;

    /// <summary>Byte offset in the local region.</summary>
    public long SourceOffset { get; } = sourceOffset;

    /// <summary>Byte offset in the remote region.</summary>
    public long DestinationOffset { get; } = destinationOffset;

    /// <summary>Bytes to move, 0 or more. Zero posts one immediate-only write.</summary>
    public long Length { get; } = length;

    /// <inheritdoc/>
    public static void Validate(in SingleWrite plan, ref PlanValidator validator)
    {
        validator.RequireDestination(plan.Destination, plan.DestinationOffset, plan.Length);
        if (plan.Length != 0)
            validator.RequireSource(plan.Source, plan.SourceOffset, plan.Length);
        validator.RequireImmediate(plan.Immediate);
    }

    /// <inheritdoc/>
    public static long CountUnits(in SingleWrite plan) => plan.Immediate.IsNumber ? 1 : TransferUnits.OfRun(plan.Length);

    /// <inheritdoc/>
    public static int Expand(in SingleWrite plan, ref PlanCursor cursor, Span<WriteDescriptor> descriptors)
    {
        // Nothing is said by a write of nothing without an immediate: it completes at once.
        if (plan.Length == 0 && plan.Immediate.IsNone)
            cursor.IsCompleted = true;
        if (cursor.IsCompleted || descriptors.IsEmpty)
            return 0;
        descriptors[0] = WriteDescriptor.Create(
            plan.Source,
            plan.SourceOffset,
            plan.Destination,
            plan.DestinationOffset,
            plan.Length,
            plan.Immediate,
            plan.Immediate.IsNumber ? 1 : (uint)TransferUnits.OfRun(plan.Length));
        cursor.IsCompleted = true;
        return 1;
    }
}

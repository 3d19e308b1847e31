namespace Garden;

/// <summary>One contiguous range to one place: a plan of exactly one run, of any length.</summary>
/// <param name="Source">The local region; ignored when <paramref name="Length"/> is 0.</param>
/// <param name="SourceOffset">Byte offset in the local region.</param>
/// <param name="Destination">The remote region.</param>
/// <param name="DestinationOffset">Byte offset in the remote region.</param>
/// <param name="Length">Bytes to move, 0 or more. Zero posts one immediate-only write.</param>
/// <param name="Immediate">What the receiver counts.</param>
public readonly record struct SingleWrite(
    RegionHandle Source,
    long SourceOffset,
    RegionHandle Destination,
    long DestinationOffset,
    long Length,
    Immediate Immediate) : ITransferPlan<SingleWrite>
{
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

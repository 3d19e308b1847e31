namespace Garden;

/// <summary>Ranges of one local region to many peers, one run and one immediate a target.</summary>
/// <param name="Source">The local region.</param>
/// <param name="Targets">The targets, in native memory.</param>
public readonly record struct ScatterWrites(RegionHandle Source, ScatterListHandle Targets) : ITransferPlan<ScatterWrites>
{
    /// <inheritdoc/>
    public static void Validate(in ScatterWrites plan, ref PlanValidator validator)
    {
        foreach (ref readonly ScatterTarget target in plan.Targets.Validated)
        {
            validator.RequireImmediate(target.Immediate);
            validator.RequireDestination(target.Destination, target.DestinationOffset, target.Length);
            if (target.Length != 0)
                validator.RequireSource(plan.Source, target.SourceOffset, target.Length);
        }
    }

    /// <inheritdoc/>
    public static long CountUnits(in ScatterWrites plan)
    {
        long units = 0;
        foreach (ref readonly ScatterTarget target in plan.Targets.Validated)
            units += target.Immediate.IsNumber ? 1 : TransferUnits.OfRun(target.Length);
        return units;
    }

    /// <inheritdoc/>
    public static int Expand(in ScatterWrites plan, ref PlanCursor cursor, Span<WriteDescriptor> descriptors)
    {
        ReadOnlySpan<ScatterTarget> targets = plan.Targets.Items;
        int position = (int)cursor.Position;
        int written = 0;
        while (written < descriptors.Length && position < targets.Length)
        {
            ref readonly ScatterTarget target = ref targets[position++];
            if (target.Length == 0 && target.Immediate.IsNone)
                continue;
            descriptors[written++] = WriteDescriptor.Create(
                plan.Source,
                target.SourceOffset,
                target.Destination,
                target.DestinationOffset,
                target.Length,
                target.Immediate,
                target.Immediate.IsNumber ? 1 : (uint)TransferUnits.OfRun(target.Length));
        }

        cursor.Position = position;
        cursor.IsCompleted = position >= targets.Length;
        return written;
    }

    /// <inheritdoc/>
    public static void Acquire(in ScatterWrites plan) => plan.Targets.Retain();

    /// <inheritdoc/>
    public static void Release(in ScatterWrites plan) => plan.Targets.Release();
}

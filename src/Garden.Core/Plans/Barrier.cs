namespace Garden;

/// <summary>One immediate-only write to every member of a peer group. It says nothing about other writes.</summary>
/// <param name="Members">The peers' signal regions, in native memory .</param>
/// <param name="Immediate">What each member counts; one unit.</param>
public readonly record struct Barrier(PeerGroupHandle Members, Immediate Immediate) : ITransferPlan<Barrier>
{
    /// <inheritdoc/>
    public static void Validate(in Barrier plan, ref PlanValidator validator)
    {
        if (plan.Immediate.IsNone)
            ThrowHelper.ThrowBarrierWithoutImmediate();
        validator.RequireImmediate(plan.Immediate);
        foreach (RegionHandle member in plan.Members.Validated)
            validator.RequireDestination(member, 0, 0);
    }

    /// <inheritdoc/>
    public static long CountUnits(in Barrier plan) => plan.Members.Validated.Length;

    /// <inheritdoc/>
    public static int Expand(in Barrier plan, ref PlanCursor cursor, Span<WriteDescriptor> descriptors)
    {
        ReadOnlySpan<RegionHandle> members = plan.Members.Items;
        int position = (int)cursor.Position;
        int written = Math.Min(descriptors.Length, members.Length - position);
        for (int i = 0; i < written; i++)
            descriptors[i] = WriteDescriptor.Create(default, 0, members[position + i], 0, 0, plan.Immediate, 1);

        cursor.Position = position + written;
        cursor.IsCompleted = position + written >= members.Length;
        return written;
    }

    /// <inheritdoc/>
    public static void Acquire(in Barrier plan) => plan.Members.Retain();

    /// <inheritdoc/>
    public static void Release(in Barrier plan) => plan.Members.Release();
}

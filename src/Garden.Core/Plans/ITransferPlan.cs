namespace Garden;

/// <summary>
/// A transfer plan: a blittable value that says what moves, and a pure, resumable expansion into
/// <see cref="WriteDescriptor"/>s. The engine knows this one operation; single, paged, scatter, barrier and
/// source-generated KV-cache plans all implement it.
/// </summary>
/// <typeparam name="TSelf">The plan itself; static abstract members let the JIT specialise the worker's call.</typeparam>
/// <remarks>
/// All members must be pure functions of the plan (and of the index lists it refers to): the engine may expand the same
/// part twice after back-pressure, and the receiver computes <see cref="CountUnits"/> on its own.
/// </remarks>
public interface ITransferPlan<TSelf>
    where TSelf : unmanaged, ITransferPlan<TSelf>
{
    /// <summary>
    /// Reports every source and destination range of the plan to <paramref name="validator"/>, on the caller's thread,
    /// before anything is posted. Throws through the validator when a range lies outside its region.
    /// </summary>
    static abstract void Validate(in TSelf plan, ref PlanValidator validator);

    /// <summary>
    /// The number of units the receivers of this plan count, summed over all receivers. It depends only on what moves,
    /// never on coalescing, on the number of NICs or on provider limits.
    /// </summary>
    static abstract long CountUnits(in TSelf plan);

    /// <summary>
    /// Writes the next descriptors into <paramref name="descriptors"/> and advances <paramref name="cursor"/>.
    /// Returns how many were written; sets <see cref="PlanCursor.IsCompleted"/> when nothing is left. The descriptors do
    /// not depend on the lengths of the spans they were written to.
    /// </summary>
    static abstract int Expand(in TSelf plan, ref PlanCursor cursor, Span<WriteDescriptor> descriptors);

    /// <summary>Takes a reference on the native lists the plan refers to. Called by submission, once.</summary>
    static virtual void Acquire(in TSelf plan)
    {
    }

    /// <summary>Gives back what <see cref="Acquire"/> took. Called once, when expansion has ended.</summary>
    static virtual void Release(in TSelf plan)
    {
    }
}

using System.Runtime.InteropServices;

namespace Garden;

/// <summary>
/// What submitters touch of a worker. An object of its own: the worker writes its other fields all the time, and a submitter that
/// read beside them would miss its cache on every request.
/// </summary>
/// <remarks>
/// It is allocated behind the ring, whose last line is padding, and ends with padding of its own: what the heap puts next to it, the
/// worker's table of transfers for one, is written with every request.
/// </remarks>
internal sealed unsafe class SubmissionPort(SubmissionRing ring, WorkerParker parker)
{
#pragma warning disable CS0169, IDE0051 // Never read: it keeps the next object off this one's cache line.
    private readonly Padding _padding;
#pragma warning restore CS0169, IDE0051

    /// <summary>Puts a validated plan into the ring; false when it is full. The plan was acquired; the worker releases it.</summary>
    public bool TryEnqueue<TPlan>(in TPlan plan, in PlanValidator validator, LaneRouting routing, int deadlineMilliseconds, TransferSource source)
        where TPlan : unmanaged, ITransferPlan<TPlan>
    {
        // Rented before the claim: a claimed slot must be published whatever happens.
        ulong block = 0;
        if (sizeof(TPlan) > SubmissionSlot.MaxInlinePlan)
        {
            block = NativeBlock.Rent(1, sizeof(TPlan), out void* copy);
            *(TPlan*)copy = plan;
        }

        // Read before the claim, too: the worker looks at the slot's line all the time, so its stores come in one burst.
        int deadline = (int)(Environment.TickCount64 + deadlineMilliseconds);
        if (!ring.TryClaim(out SubmissionSlot* slot, out long position))
        {
            NativeBlock.Release(block);
            return false;
        }

        slot->Fill(
            PlanOperations.Of<TPlan>.Instance,
            source.Index,
            validator.SourceMask,
            validator.Peer,
            routing,
            sizeof(TPlan) > SubmissionSlot.MaxInlinePlan,
            deadline);
        // Safe: the plan fits the slot's plan bytes, or its block's handle does.
        if (sizeof(TPlan) <= SubmissionSlot.MaxInlinePlan)
            *(TPlan*)slot->Plan = plan;
        else
            *(ulong*)slot->Plan = block;
        SubmissionRing.Publish(slot, position);
        parker.WakeAfterFence();
        // The ring's memory goes with the ring: it must not be collected between the claim and here.
        GC.KeepAlive(ring);
        return true;
    }

    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Padding;
}

namespace Garden;

/// <summary>
/// What submitters touch of a worker. An object of its own: the worker writes its other fields all the time, and a submitter that
/// read beside them would miss its cache on every request.
/// </summary>
internal sealed unsafe class SubmissionPort(SubmissionRing ring, WorkerParker parker)
{
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

        if (!ring.TryClaim(out SubmissionSlot* slot, out long position))
        {
            NativeBlock.Release(block);
            return false;
        }

        slot->Operations = PlanOperations.Of<TPlan>.Instance;
        slot->SourceMask = validator.SourceMask;
        slot->Source = source.Index;
        slot->Peer = validator.Peer < 0 ? -1 : validator.Peer;
        slot->Routing = routing.Kind;
        slot->Lane = (byte)routing.Lane;
        slot->DeadlineMilliseconds = (int)(Environment.TickCount64 + deadlineMilliseconds);
        if (sizeof(TPlan) <= SubmissionSlot.MaxInlinePlan)
        {
            slot->PlanInBlock = 0;
            // Safe: the plan fits the slot's plan bytes, as just checked.
            *(TPlan*)slot->Plan = plan;
        }
        else
        {
            slot->PlanInBlock = 1;
            *(ulong*)slot->Plan = block;
        }

        SubmissionRing.Publish(slot, position);
        parker.WakeAfterFence();
        // The ring's memory goes with the ring: it must not be collected between the claim and here.
        GC.KeepAlive(ring);
        return true;
    }
}

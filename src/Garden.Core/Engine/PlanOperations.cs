using System.Runtime.CompilerServices;

namespace Garden;

/// <summary>A plan type as the worker sees it: two function pointers, so that one worker runs every plan without generics.</summary>
internal unsafe struct PlanOperations
{
    /// <summary>(plan, cursor, descriptors, capacity) → written.</summary>
    public delegate*<void*, PlanCursor*, WriteDescriptor*, int, int> Expand;

    /// <summary>Gives the plan's native lists back.</summary>
    public delegate*<void*, void> Release;

    /// <summary>Size of the plan in bytes.</summary>
    public int Size;

    /// <summary>The operations of one plan type, allocated once.</summary>
    public static class Of<TPlan>
        where TPlan : unmanaged, ITransferPlan<TPlan>
    {
        public static readonly PlanOperations* Instance = Create();

        private static PlanOperations* Create()
        {
            var operations = (PlanOperations*)RuntimeHelpers.AllocateTypeAssociatedMemory(typeof(Of<TPlan>), sizeof(PlanOperations));
            operations->Expand = &ExpandPlan;
            operations->Release = &ReleasePlan;
            operations->Size = sizeof(TPlan);
            return operations;
        }

        private static int ExpandPlan(void* plan, PlanCursor* cursor, WriteDescriptor* descriptors, int capacity) =>
            // Safe: the caller's buffer has room for capacity descriptors.
            TPlan.Expand(in *(TPlan*)plan, ref *cursor, new Span<WriteDescriptor>(descriptors, capacity));

        private static void ReleasePlan(void* plan) => TPlan.Release(in *(TPlan*)plan);
    }
}

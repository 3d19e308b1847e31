namespace Garden.Core.Tests.Plans;

internal static class PlanExpansion
{
    public static readonly int[] SpanLengths = [1, 2, 7, 64];

    /// <summary>All descriptors of a plan, taken so many at a time.</summary>
    public static List<WriteDescriptor> Expand<TPlan>(in TPlan plan, int span)
        where TPlan : unmanaged, ITransferPlan<TPlan>
    {
        var descriptors = new WriteDescriptor[span];
        List<WriteDescriptor> all = [];
        var cursor = default(PlanCursor);
        for (int calls = 0; !cursor.IsCompleted; calls++)
        {
            int written = TPlan.Expand(in plan, ref cursor, descriptors);
            Assert.InRange(written, 0, span);
            Assert.True(written != 0 || cursor.IsCompleted, "An expansion that is not complete made no progress.");
            all.AddRange(descriptors.AsSpan(0, written));
            Assert.True(calls < 1_000_000);
        }

        PlanCursor ended = cursor;
        Assert.Equal(0, TPlan.Expand(in plan, ref ended, descriptors));
        Assert.True(ended.IsCompleted);
        return all;
    }

    /// <summary>All descriptors, after checking that they do not depend on how many are taken at a time.</summary>
    public static List<WriteDescriptor> Expand<TPlan>(in TPlan plan)
        where TPlan : unmanaged, ITransferPlan<TPlan>
    {
        List<WriteDescriptor> expected = Expand(in plan, 64);
        foreach (int span in SpanLengths)
            Assert.Equal(expected.Select(d => d.ToString()), Expand(in plan, span).Select(d => d.ToString()));
        return expected;
    }

    public static long Units(List<WriteDescriptor> descriptors) => descriptors.Sum(descriptor => (long)descriptor.Units);
}

using Garden.Fabric.Loopback;

namespace Garden.Core.Tests.Docs;

// <plan>
/// <summary>Every Step-th row of a matrix, packed at the destination.</summary>
public readonly record struct EveryRow(
    RegionHandle Source, RegionHandle Destination, Immediate Immediate, long RowBytes, int Rows, int Step) : ITransferPlan<EveryRow>
{
    public static void Validate(in EveryRow plan, ref PlanValidator validator)
    {
        validator.RequireNotNegative(nameof(Rows), plan.Rows);
        validator.RequireNotNegative(nameof(Step), plan.Step);
        validator.RequireNotNegative(nameof(RowBytes), plan.RowBytes);
        validator.RequireSource(plan.Source, 0, checked(plan.Rows * (long)plan.Step * plan.RowBytes));
        validator.RequireDestination(plan.Destination, 0, checked(plan.Rows * plan.RowBytes));
        validator.RequireImmediate(plan.Immediate);
    }

    public static long CountUnits(in EveryRow plan) => plan.Rows * TransferUnits.OfRun(plan.RowBytes);

    public static int Expand(in EveryRow plan, ref PlanCursor cursor, Span<WriteDescriptor> descriptors)
    {
        int written = 0;
        for (; written < descriptors.Length && cursor.Position < plan.Rows; written++, cursor.Position++)
        {
            descriptors[written] = WriteDescriptor.Create(
                plan.Source, cursor.Position * plan.Step * plan.RowBytes, plan.Destination, cursor.Position * plan.RowBytes,
                plan.RowBytes, plan.Immediate, (uint)TransferUnits.OfRun(plan.RowBytes));
        }

        cursor.IsCompleted = cursor.Position == plan.Rows;
        return written;
    }
}
// </plan>

public class OwnPlanExampleTests
{
    [Fact]
    public async Task A_plan_of_ones_own_is_submitted_like_any_other()
    {
        var network = new LoopbackNetwork();
        await using TransferEngine engine = TransferEngine.CreateBuilder().UseLoopback(network, "sender").Build();
        await using TransferEngine receiver = TransferEngine.CreateBuilder().UseLoopback(network, "receiver").Build();
        using var matrix = new NativeBuffer(3 * 100 * 4096);
        using var packed = new NativeBuffer(100 * 4096);
        new Random(1).NextBytes(matrix.Span(0, (int)matrix.Length));
        using ImmCounter counter = receiver.AllocateCounter();
        Peer peer = await engine.ConnectAsync(receiver.Address);
        using RemoteRegion remote = peer.Import(receiver.Register(packed).Export());
        MemoryRegion source = engine.Register(matrix);

        // <submit>
        var plan = new EveryRow(source.Handle, remote.Handle, counter.Immediate, RowBytes: 4096, Rows: 100, Step: 3);
        await engine.Submit(plan);
        // </submit>

        await counter.WaitAsync(EveryRow.CountUnits(plan), TimeSpan.FromSeconds(5));
        for (int row = 0; row < 100; row++)
            Assert.True(packed.Span(row * 4096, 4096).SequenceEqual(matrix.Span(3 * row * 4096, 4096)), $"row {row} differs");
        Assert.Throws<PlanException>(() => engine.Submit(plan with { Rows = 101 }));
    }

    [Fact]
    public void The_page_shows_the_code_that_is_tested()
    {
        Snippets.AssertShown("docs/plans.md", "plan");
        Snippets.AssertShown("docs/plans.md", "submit");
    }
}

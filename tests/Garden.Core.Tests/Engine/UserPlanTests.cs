namespace Garden.Core.Tests.Engine;

/// <summary>Plans are user code: what is wrong with one ends its own transfer by name, and nothing of it lands where it must not.</summary>
public sealed class UserPlanTests
{
    [Theory]
    [InlineData(Fault.Throws, "threw: on purpose")]
    [InlineData(Fault.EndsNever, "returned 0 descriptors")]
    [InlineData(Fault.WritesTooMany, "returned 1000 descriptors")]
    [InlineData(Fault.SecondOutside, "outside its regions")]
    [InlineData(Fault.SecondLongerThanRegion, "outside its regions")]
    [InlineData(Fault.SecondNegative, "outside its regions")]
    [InlineData(Fault.TooManyUnits, "at most 1023")]
    [InlineData(Fault.Reads, "reserved")]
    public async Task APlanThatIsWrongEndsItsOwnTransferByName(Fault fault, string text)
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        pair.Fill(1);
        RemoteRegion part = pair.Peer.Import(pair.DestinationRegion.Export(4096, 4096));
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        PlanException refusal = await Assert.ThrowsAsync<PlanException>(() =>
            pair.Sender.Submit(new WrongPlan(pair.Source.Handle, part.Handle, counter.Immediate, fault)).Ended());
        Assert.Contains(text, refusal.Message, StringComparison.Ordinal);
        Assert.False(pair.DestinationBuffer.Span(0, 4096).ContainsAnyExcept((byte)0xCD));
        Assert.False(pair.DestinationBuffer.Span(8192, 8192).ContainsAnyExcept((byte)0xCD));
        await pair.Sender.SubmitSingleWrite(pair.Source, 0, part, 0, 64).Ended();
        Assert.Null(pair.Sender.Failure);
        Assert.Equal(0, pair.Sender.GetStatistics().TransfersActive);
    }

    public enum Fault
    {
        Throws,
        EndsNever,
        WritesTooMany,
        SecondOutside,
        SecondLongerThanRegion,
        SecondNegative,
        TooManyUnits,
        Reads,
    }

    private readonly struct WrongPlan(RegionHandle source, RegionHandle destination, Immediate immediate, Fault fault) : ITransferPlan<WrongPlan>
    {
        private readonly RegionHandle _source = source;
        private readonly RegionHandle _destination = destination;
        private readonly Immediate _immediate = immediate;
        private readonly Fault _fault = fault;

        public static void Validate(in WrongPlan plan, ref PlanValidator validator)
        {
            validator.RequireSource(plan._source, 0, 1);
            validator.RequireDestination(plan._destination, 0, 1);
        }

        public static long CountUnits(in WrongPlan plan) => 2;

        public static int Expand(in WrongPlan plan, ref PlanCursor cursor, Span<WriteDescriptor> descriptors)
        {
            for (int i = 0; i < 2; i++)
                descriptors[i] = WriteDescriptor.Create(plan._source, 0, plan._destination, 0, 8, plan._immediate, 1);
            switch (plan._fault)
            {
                case Fault.Throws:
                    throw new InvalidOperationException("on purpose");
                case Fault.EndsNever:
                    return 0;
                case Fault.WritesTooMany:
                    return 1000;
                case Fault.SecondOutside:
                    descriptors[1].DestinationOffset = 4090;
                    break;
                case Fault.SecondLongerThanRegion:
                    descriptors[1].Length = 5000;
                    break;
                case Fault.SecondNegative:
                    descriptors[1].Length = -8;
                    break;
                case Fault.TooManyUnits:
                    descriptors[1].Units = 5000;
                    break;
                case Fault.Reads:
                    descriptors[1].Opcode = WriteOpcode.Read;
                    break;
            }

            cursor.IsCompleted = true;
            return 2;
        }
    }
}

namespace Garden.Weights;

/// <summary>Where the hashes of each send stand among those that one trainer rank sends one inference rank: in the order of the sender's tasks.</summary>
internal static class WeightSendHashes
{
    /// <summary>For every send of a plan, the first of its hashes in its receiver's list; and the length of each receiver's list.</summary>
    public static (int[] First, Dictionary<int, int> Totals) Of(WeightSenderPlan plan, out int[] firstSend)
    {
        var first = new List<int>();
        var totals = new Dictionary<int, int>();
        firstSend = new int[plan.Tasks.Length];
        for (int i = 0; i < plan.Tasks.Length; i++)
        {
            firstSend[i] = first.Count;
            foreach (ref readonly WeightSend send in plan.SendsOf(in plan.Tasks[i]))
            {
                int total = totals.GetValueOrDefault(send.DestinationRank);
                first.Add(total);
                totals[send.DestinationRank] = checked(total + WeightHasher.BlocksOf(send.Bytes));
            }
        }

        return ([.. first], totals);
    }

    /// <summary>Bytes that the hashes of an expectation take, and units of the write that brings them.</summary>
    public static long UnitsOf(long hashes) => hashes == 0 ? 0 : TransferUnits.OfRun(hashes * sizeof(ulong));
}

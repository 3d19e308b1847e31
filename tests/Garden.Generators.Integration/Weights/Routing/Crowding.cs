using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Routing;

/// <summary>
/// When the last byte arrives if every sender writes one send after the other and every receiver takes what comes first first, all
/// NICs a byte a time unit, the senders up to a tenth slower at random (seeded).
/// </summary>
internal static class Crowding
{
    public static double TimeOf(WeightSchedule schedule, bool shuffled)
    {
        var random = new Random(1);
        var sends = new (int Receiver, long Bytes)[schedule.Trainer.Ranks][];
        for (int rank = 0; rank < sends.Length; rank++)
        {
            using WeightSenderPlan plan = schedule.SenderPlan(rank);
            var own = new List<(int, long)>();
            foreach (ref readonly WeightTask task in plan.Tasks)
            {
                foreach (ref readonly WeightSend send in plan.SendsOf(in task))
                    own.Add((send.DestinationRank, send.Bytes));
            }

            sends[rank] = [.. own];
            if (shuffled)
                random.Shuffle(sends[rank]);
        }

        double[] receiverFree = new double[schedule.Inference.Ranks];
        int[] next = new int[sends.Length];
        var events = new PriorityQueue<int, (double Time, int Rank)>();
        for (int rank = 0; rank < sends.Length; rank++)
            events.Enqueue(rank, (0, rank));
        double last = 0;
        while (events.TryDequeue(out int rank, out (double Time, int) at))
        {
            if (next[rank] == sends[rank].Length)
                continue;
            (int receiver, long bytes) = sends[rank][next[rank]++];
            double end = Math.Max(at.Time, receiverFree[receiver]) + bytes;
            receiverFree[receiver] = end;
            last = Math.Max(last, end);
            events.Enqueue(rank, (end + (bytes * random.NextDouble() / 10), rank));
        }

        return last;
    }
}

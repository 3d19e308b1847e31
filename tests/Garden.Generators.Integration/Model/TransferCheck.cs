using System.Globalization;
using Garden.KvCache;

namespace Garden.Generators.Integration;

/// <summary>Runs a plan between all pairs of ranks and compares what it writes, row by row and byte by byte, with the naive model.</summary>
public static class TransferCheck
{
    // Bigger pools are checked by addresses only.
    private const long MostBytes = 1 << 18;

    public static void Run<TPlan, TFrom, TTo>(TransferScenario scenario)
        where TPlan : unmanaged, IKvTransfer<TPlan>
        where TFrom : unmanaged, IKvPageLayout<TFrom>
        where TTo : unmanaged, IKvPageLayout<TTo>
    {
        using PageList sourcePages = PageList.Create(scenario.SourcePages);
        using PageList destinationPages = PageList.Create(scenario.DestinationPages);
        var from = new NaiveLayout<TFrom>(scenario.SourcePoolPages);
        var to = new NaiveLayout<TTo>(scenario.DestinationPoolPages);
        Equal(from.Bytes, TPlan.SourcePoolBytes(scenario.SourcePoolPages), "source pool bytes", scenario);
        Equal(to.Bytes, TPlan.DestinationPoolBytes(scenario.DestinationPoolPages), "destination pool bytes", scenario);

        for (int receiver = 0; receiver < TTo.TensorParallel; receiver++)
        {
            // Where each row has to come from, by where it goes; a row is crossed off when it arrives.
            Dictionary<long, Row> missing = RowsOf<TTo>(to, scenario, receiver, TPlan.SourceLayoutHash == TPlan.DestinationLayoutHash);
            bool copies = from.Bytes <= MostBytes && to.Bytes <= MostBytes;
            byte[] destination = new byte[copies ? to.Bytes : 0];
            int expectedRows = missing.Count;
            var arrived = new List<KeyValuePair<long, Row>>(expectedRows);
            for (int sender = 0; sender < TFrom.TensorParallel; sender++)
            {
                KvTransferArguments arguments = scenario.Arguments(sender, receiver, sourcePages.Handle, destinationPages.Handle);
                TPlan plan = TPlan.Create(in arguments);
                List<WriteDescriptor> writes = ExpandEveryWay(in plan, scenario);
                CheckCounts(in plan, arguments, writes, scenario);
                CheckFewest(writes, NaiveLayout<TFrom>.RowBytes, scenario);
                byte[] source = copies ? Fill(from, scenario, sender) : [];
                foreach (WriteDescriptor write in writes)
                {
                    CheckRows(write, from, scenario, sender, missing, arrived);
                    if (copies)
                        source.AsSpan((int)(write.SourceOffset - arguments.SourceOffset), (int)write.Length).CopyTo(destination.AsSpan((int)(write.DestinationOffset - arguments.DestinationOffset)));
                }
            }

            Equal(0, missing.Count, $"rows that did not arrive at rank {receiver}", scenario);
            if (copies)
                CheckBytes(destination, arrived, NaiveLayout<TTo>.RowBytes, scenario);
        }
    }

    private static Dictionary<long, Row> RowsOf<TTo>(NaiveLayout<TTo> to, TransferScenario scenario, int receiver, bool wholePages)
        where TTo : unmanaged, IKvPageLayout<TTo>
    {
        int first = scenario.FirstToken, end = first + scenario.TokenCount;
        if (wholePages && scenario.TokenCount != 0)
            (first, end) = (first / TTo.TokensPerPage * TTo.TokensPerPage, (end + TTo.TokensPerPage - 1) / TTo.TokensPerPage * TTo.TokensPerPage);
        var rows = new Dictionary<long, Row>();
        int[] heads = NaiveLayout<TTo>.HeadsOf(receiver);
        for (int layer = scenario.FirstLayer; layer < scenario.FirstLayer + scenario.LayerCount; layer++)
        {
            for (int plane = 0; plane < TTo.PlaneCount; plane++)
            {
                for (int token = first; token < end; token++)
                {
                    for (int head = 0; head < heads.Length; head++)
                    {
                        long at = to.Offset(layer, scenario.DestinationPages[token / TTo.TokensPerPage], plane, token % TTo.TokensPerPage, head);
                        rows.Add(at, new Row(layer, plane, token, heads[head]));
                    }
                }
            }
        }

        return rows;
    }

    private static void CheckRows<TFrom>(
        WriteDescriptor write, NaiveLayout<TFrom> from, TransferScenario scenario, int sender, Dictionary<long, Row> missing, List<KeyValuePair<long, Row>> arrived)
        where TFrom : unmanaged, IKvPageLayout<TFrom>
    {
        int rowBytes = NaiveLayout<TFrom>.RowBytes;
        Equal(0, write.Length % rowBytes, "bytes beyond whole rows", scenario);
        for (long at = 0; at < write.Length; at += rowBytes)
        {
            long destination = write.DestinationOffset - 8192 + at;
            if (!missing.Remove(destination, out Row row))
                throw new InvalidOperationException($"{write} writes destination offset {destination}, which is written twice or not at all by the model: {scenario}");
            arrived.Add(new(destination, row));
            int head = Array.IndexOf(NaiveLayout<TFrom>.HeadsOf(sender), row.Head);
            if (head < 0)
                throw new InvalidOperationException($"Rank {sender} sends {row}, whose head it does not hold: {scenario}");
            long source = from.Offset(row.Layer, scenario.SourcePages[row.Token / TFrom.TokensPerPage], row.Plane, row.Token % TFrom.TokensPerPage, head);
            Equal(source, write.SourceOffset - 4096 + at, $"source offset of {row}", scenario);
        }
    }

    /// <summary>The same descriptors whatever the spans are; the result of one long span.</summary>
    private static List<WriteDescriptor> ExpandEveryWay<TPlan>(in TPlan plan, TransferScenario scenario)
        where TPlan : unmanaged, IKvTransfer<TPlan>
    {
        List<WriteDescriptor> reference = Expand(in plan, 4096);
        foreach (int length in (int[])[1, 2, 7, 64])
        {
            if (!Expand(in plan, length).SequenceEqual(reference))
                throw new InvalidOperationException($"Spans of {length} give other descriptors: {scenario}");
        }

        return reference;
    }

    private static List<WriteDescriptor> Expand<TPlan>(in TPlan plan, int spanLength)
        where TPlan : unmanaged, IKvTransfer<TPlan>
    {
        var all = new List<WriteDescriptor>();
        var span = new WriteDescriptor[spanLength];
        PlanCursor cursor = default;
        while (!cursor.IsCompleted)
        {
            // An empty span changes nothing but may say that there is nothing.
            PlanCursor before = cursor;
            if (TPlan.Expand(in plan, ref cursor, []) != 0 || (!cursor.IsCompleted && !before.Equals(cursor)))
                throw new InvalidOperationException("An empty span moved the cursor.");
            int written = TPlan.Expand(in plan, ref cursor, span);
            if (written == 0 && !cursor.IsCompleted)
                throw new InvalidOperationException("No progress.");
            all.AddRange(span.AsSpan(0, written));
        }

        if (TPlan.Expand(in plan, ref cursor, span) != 0)
            throw new InvalidOperationException("Descriptors after completion.");
        return all;
    }

    private static void CheckCounts<TPlan>(in TPlan plan, KvTransferArguments arguments, List<WriteDescriptor> writes, TransferScenario scenario)
        where TPlan : unmanaged, IKvTransfer<TPlan>
    {
        arguments.SourcePages = default;
        arguments.DestinationPages = default;
        arguments.SourcePoolPages = 0;
        arguments.DestinationPoolPages = 0;
        TPlan receivers = TPlan.Create(in arguments);
        Equal(writes.Sum(write => (long)write.Units), TPlan.CountUnits(in receivers), "units", scenario);
        Equal(TPlan.CountUnits(in receivers), TPlan.CountUnits(in plan), "units with pages", scenario);
        Equal(writes.Sum(write => write.Length), TPlan.CountBytes(in receivers), "bytes", scenario);
        foreach (WriteDescriptor write in writes)
        {
            long fewest = scenario.Immediate.IsNumber ? 1 : TransferUnits.OfRun(write.Length);
            bool single = write.Units == fewest;
            if (write.Units < fewest || (write.Units > TransferUnits.MaxPerWrite && !single) || write.Immediate != scenario.Immediate)
                throw new InvalidOperationException($"{write} carries impossible units: {scenario}");
        }
    }

    /// <summary>
    /// As many descriptors as there are maximal runs of rows contiguous on both sides. Exact where list order is address
    /// order; a write may also end where the next run would not fit its 1023 units.
    /// </summary>
    private static void CheckFewest(List<WriteDescriptor> writes, int rowBytes, TransferScenario scenario)
    {
        if (scenario.Immediate.IsNumber || !scenario.SourceAscends)
            return;
        int full = writes.Zip(writes.Skip(1)).Count(pair =>
            pair.First.SourceOffset + pair.First.Length == pair.Second.SourceOffset
            && pair.First.DestinationOffset + pair.First.Length == pair.Second.DestinationOffset
            && pair.First.Units + pair.Second.Units > TransferUnits.MaxPerWrite);
        var rows = new List<(long Source, long Destination)>();
        foreach (WriteDescriptor write in writes)
        {
            for (long at = 0; at < write.Length; at += rowBytes)
                rows.Add((write.SourceOffset + at, write.DestinationOffset + at));
        }

        rows.Sort();
        int runs = rows.Count == 0 ? 0 : 1;
        for (int i = 1; i < rows.Count; i++)
        {
            if (rows[i].Source != rows[i - 1].Source + rowBytes || rows[i].Destination != rows[i - 1].Destination + rowBytes)
                runs++;
        }

        Equal(runs + full, writes.Count, "descriptors", scenario);
    }

    private static byte[] Fill<TFrom>(NaiveLayout<TFrom> from, TransferScenario scenario, int sender)
        where TFrom : unmanaged, IKvPageLayout<TFrom>
    {
        byte[] pool = new byte[from.Bytes];
        Array.Fill(pool, (byte)0xEE);
        int[] heads = NaiveLayout<TFrom>.HeadsOf(sender);
        for (int layer = 0; layer < TFrom.Layers; layer++)
        {
            for (int plane = 0; plane < TFrom.PlaneCount; plane++)
            {
                for (int token = 0; token < scenario.SourcePages.Length * TFrom.TokensPerPage; token++)
                {
                    for (int head = 0; head < heads.Length; head++)
                    {
                        long at = from.Offset(layer, scenario.SourcePages[token / TFrom.TokensPerPage], plane, token % TFrom.TokensPerPage, head);
                        new Row(layer, plane, token, heads[head]).Write(pool.AsSpan((int)at, NaiveLayout<TFrom>.RowBytes));
                    }
                }
            }
        }

        return pool;
    }

    private static void CheckBytes(byte[] destination, List<KeyValuePair<long, Row>> arrived, int rowBytes, TransferScenario scenario)
    {
        byte[] expected = new byte[destination.Length];
        foreach ((long at, Row row) in arrived)
            row.Write(expected.AsSpan((int)at, rowBytes));
        int wrong = expected.AsSpan().CommonPrefixLength(destination);
        Equal(expected.Length, wrong, "first wrong byte of the receiver's pool", scenario);
    }

    private static void Equal(long expected, long actual, string what, TransferScenario scenario)
    {
        if (expected != actual)
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"{what}: expected {expected}, got {actual}: {scenario}"));
    }

    /// <summary>One head of one token in one plane of one layer, in the model's own coordinates.</summary>
    private readonly record struct Row(int Layer, int Plane, int Token, int Head)
    {
        public void Write(Span<byte> bytes)
        {
            uint hash = (((((uint)Layer * 2) + (uint)Plane) * 65536) + (uint)Token) * 64 + (uint)Head + 1;
            for (int i = 0; i < bytes.Length; i++)
            {
                hash = (hash ^ (hash >> 15)) * 0x2C1B3C6D;
                bytes[i] = (byte)((hash >> 16) | 1);
            }
        }
    }
}

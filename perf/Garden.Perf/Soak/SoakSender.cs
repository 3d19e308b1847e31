namespace Garden.Perf.Soak;

/// <summary>One stream of random rounds: fill, write, tell, wait for the answer.</summary>
internal sealed class SoakSender(SoakNode node, int stream, IReadOnlyList<SoakLink> links, PeerGroup group, Random random)
{
    private const int MostPages = 256;
    private const int MostPayload = 4000;
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);
    private long _number;
    private long _barriers;

    /// <summary>Rounds so far, by kind.</summary>
    public Dictionary<string, long> Rounds { get; } = [];

    /// <summary>Bytes written so far.</summary>
    public long Bytes { get; private set; }

    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            // A stream to one peer: single, paged, message. The stream to all: scatter, barrier.
            string kind = stream == 0 ? random.Next(3) switch { 0 => "single", 1 => "paged", _ => "message" } : random.Next(3) == 0 ? "barrier" : "scatter";
            await RoundAsync(kind);
            Rounds[kind] = Rounds.GetValueOrDefault(kind) + 1;
        }
    }

    private async Task RoundAsync(string kind)
    {
        _number++;
        (SoakRound Round, Transfer? Transfer)[] rounds = kind switch
        {
            "single" => [Single()],
            "paged" => [Paged()],
            "message" => [(Describe(links[0], [], [], Payload()), null)],
            "scatter" => Scatter(),
            _ => Barrier(),
        };
        foreach ((_, Transfer? transfer) in rounds)
        {
            if (transfer is { } running)
                await running;
        }

        for (int i = 0; i < rounds.Length; i++)
            await node.Engine.SendAsync(links[i].Peer, SoakNode.RoundChannel, rounds[i].Round.ToBytes());
        foreach (SoakLink link in links)
        {
            (long number, bool same) = await link.Answers[stream].Reader.ReadAsync().AsTask().WaitAsync(s_deadline);
            if (number != _number || !same)
                throw new InvalidDataException($"Node {link.Node}: {kind} round {_number} of stream {stream} {(same ? $"was answered as round {number}" : "arrived with other bytes")}.");
        }
    }

    private (SoakRound, Transfer?) Single()
    {
        (int offset, int length) range = Range(SoakArea.Length);
        int to = random.Next(SoakArea.Length - range.length + 1);
        SoakRound round = Describe(links[0], [range], [(to, range.length)], []);
        return (round, node.Engine.SubmitSingleWrite(
            node.SourceRegion, Source(links[0]) + range.offset, links[0].Region, Destination + to, range.length, links[0].Counters[stream]));
    }

    private (SoakRound, Transfer?) Paged()
    {
        int length = 1 + random.Next(16 << 10), stride = length + random.Next(64);
        int count = 1 + random.Next(Math.Min(MostPages, SoakArea.Length / stride));
        int[] from = Places(SoakArea.Length / stride, count), to = Places(SoakArea.Length / stride, count);
        SoakRound round = Describe(links[0], [.. from.Select(page => (page * stride, length))], [.. to.Select(page => (page * stride, length))], []);
        return (round, node.Engine.SubmitPagedWrites(
            node.SourceRegion,
            new PageSpan(from, stride, Source(links[0])),
            links[0].Region,
            new PageSpan(to, stride, Destination),
            length,
            links[0].Counters[stream]));
    }

    private (SoakRound, Transfer?)[] Scatter()
    {
        var targets = new ScatterTarget[links.Count];
        var rounds = new (SoakRound, Transfer?)[links.Count];
        for (int i = 0; i < targets.Length; i++)
        {
            (int offset, int length) range = Range(1 << 20);
            int to = random.Next(SoakArea.Length - range.length + 1);
            targets[i] = new ScatterTarget(links[i].Region.Handle, links[i].Counters[stream], Source(links[i]) + range.offset, Destination + to, range.length);
            rounds[i].Item1 = Describe(links[i], [range], [(to, range.length)], []);
        }

        rounds[0].Item2 = node.Engine.SubmitScatter(node.SourceRegion, targets);
        return rounds;
    }

    private (SoakRound, Transfer?)[] Barrier()
    {
        _barriers++;
        (SoakRound, Transfer?)[] rounds = [.. links.Select(link => (Describe(link, [], [], []), (Transfer?)null))];
        rounds[0].Item2 = node.Engine.SubmitBarrier(group, Immediate.FromNumber(SoakNode.BarrierNumber(node.Index)));
        return rounds;
    }

    /// <summary>Fills the source ranges, and says what the receiver has to find.</summary>
    private SoakRound Describe(SoakLink link, (int Offset, int Length)[] from, (int Offset, int Length)[] to, byte[] payload)
    {
        foreach ((int offset, int length) in from)
        {
            random.NextBytes(node.Source.Span(Source(link) + offset, length));
            link.Units[stream] += TransferUnits.OfRun(length);
            Bytes += length;
        }

        return new SoakRound((byte)stream, _number, link.Units[stream], _barriers, to, SoakRound.HashOf(node.Source, Source(link), from, payload), payload);
    }

    private byte[] Payload()
    {
        byte[] payload = new byte[random.Next(MostPayload)];
        random.NextBytes(payload);
        return payload;
    }

    /// <summary>Any length, short ones as often as long ones.</summary>
    private (int Offset, int Length) Range(int most)
    {
        int length = random.Next(1 << random.Next(1, int.Log2(most) + 1)) + 1;
        return (random.Next(SoakArea.Length - length + 1), length);
    }

    private int[] Places(int places, int count)
    {
        int[] all = [.. Enumerable.Range(0, places)];
        random.Shuffle(all);
        return all[..count];
    }

    private long Source(SoakLink link) => SoakArea.Of(link.Node, stream);

    private long Destination => SoakArea.Of(node.Index, stream);
}

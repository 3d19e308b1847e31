using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>Messages of ranks that are broken or hostile: parsed, or refused with the one exception, and never read behind their end.</summary>
public sealed class WeightMessageTests
{
    private static readonly MemoryRegionDescriptor s_region = new()
    {
        EngineId = 5,
        Device = 0,
        Generation = 3,
        Length = 1 << 20,
        Routes = [new RouteEntry("loopback", 0, 1 << 30, 77)],
    };

    [Fact]
    public void Messages_come_back_as_they_were()
    {
        var hello = new WeightHello(2, 3, 7, new WeightTerms(1, 2, true), "träiner");
        Assert.Equal(hello, WeightHello.Parse(WeightMessageHeader.Parse(hello.ToBytes()), hello.ToBytes()));
        var offer = new WeightOffer(9, Immediate.FromNumber(5), 1000, s_region, s_region with { Length = 8 });
        WeightOffer parsed = WeightOffer.Parse(WeightMessageHeader.Parse(offer.ToBytes()), offer.ToBytes());
        Assert.Equal((9, 1000, 1 << 20, 8), (parsed.Step, parsed.Units, parsed.Memory.Length, parsed.Hashes!.Length));
        Assert.Null(WeightOffer.Parse(WeightMessageHeader.Parse(offer.ToBytes()), (offer with { Hashes = null }).ToBytes()).Hashes);
        var reply = new WeightReply(WeightMessageKind.Done, 4, new string('x', 5000));
        Assert.Equal(reply with { Text = new string('x', 1997) + "…" }, WeightReply.Parse(WeightMessageHeader.Parse(reply.ToBytes()), reply.ToBytes()));
        WeightGatherRequest request = Request();
        WeightGatherRequest same = WeightGatherRequest.Parse(WeightMessageHeader.Parse(request.ToBytes()), request.ToBytes(), 2);
        Assert.Equal((11, 4096, request.Pieces.Length), (same.Step, same.BufferOffset, same.Pieces.Length));
        Assert.Equal(request.Pieces[0].SourceEnd, same.Pieces[0].SourceEnd);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Damaged_messages_are_refused_or_harmless(int which)
    {
        byte[] valid = which switch
        {
            0 => new WeightHello(2, 3, 7, new WeightTerms(1, 2, true), "trainer").ToBytes(),
            1 => new WeightOffer(9, Immediate.FromNumber(5), 1000, s_region, s_region).ToBytes(),
            2 => new WeightReply(WeightMessageKind.Refusal, 0, "no").ToBytes(),
            _ => Request().ToBytes(),
        };
        Gen.Select(Gen.Int[0, valid.Length - 1], Gen.Byte, Gen.Int[0, valid.Length]).Array[1, 6].Sample(
            changes =>
            {
                byte[] message = [.. valid];
                foreach ((int at, byte value, int length) in changes)
                {
                    if (value == 0)
                        message = message[..Math.Min(length, message.Length)];
                    else if (at < message.Length)
                        message[at] = value;
                }

                try
                {
                    var header = WeightMessageHeader.Parse(message);
                    switch (which)
                    {
                        case 0:
                            WeightHello.Parse(in header, message);
                            break;
                        case 1:
                            WeightOffer.Parse(in header, message);
                            break;
                        case 2:
                            WeightReply.Parse(in header, message);
                            break;
                        default:
                            foreach (ref readonly WeightPiece piece in WeightGatherRequest.Parse(in header, message, 2).Pieces.AsSpan())
                                Harmless(in piece);
                            break;
                    }
                }
                catch (DescriptorException)
                {
                }
            },
            iter: 5000,
            threads: 1);
    }

    [Fact]
    public void Runs_that_are_none_are_refused()
    {
        WeightGatherRequest request = Request();
        foreach (Func<WeightPiece, WeightPiece> change in (Func<WeightPiece, WeightPiece>[])
            [
                static piece => piece with { SourceRank = 1 },
                static piece => piece with { Length = 0 },
                static piece => piece with { Length = long.MaxValue },
                static piece => piece with { SourceOffset = -1 },
                static piece => piece with { DestinationOffset = -8 },
                static piece => piece with { Stage = WeightStage.Packed },
                static piece => WithLevel(piece, new WeightLevel(0, 1, 1, 0)),
                static piece => WithLevel(piece, new WeightLevel(1 << 25, 0, 0, 0)),
                static piece => WithLevel(piece, new WeightLevel(2, -1, 0, 0)),
                static piece => WithLevel(piece, new WeightLevel(3, long.MaxValue / 2, 0, 0)),
            ])
        {
            byte[] message = (request with { Pieces = [change(request.Pieces[0])] }).ToBytes();
            Assert.Throws<DescriptorException>(() => WeightGatherRequest.Parse(WeightMessageHeader.Parse(message), message, 2));
        }
    }

    [Fact]
    public void A_request_has_no_more_runs_than_a_task()
    {
        WeightPiece many = WithLevel(Request().Pieces[0], new WeightLevel(1 << 20, 1, 1, 0));
        byte[] message = (Request() with { Pieces = [.. Enumerable.Repeat(many, 20)] }).ToBytes();
        Assert.Throws<DescriptorException>(() => WeightGatherRequest.Parse(WeightMessageHeader.Parse(message), message, 2));
    }

    [Fact]
    public void Tensors_to_wait_for_are_found_without_walking_runs()
    {
        WeightMeshes<FleetMap> meshes = WeightMeshes<FleetMap>.Create(new(2, 2), new(1, 2));
        var schedule = WeightSchedule.Plan(meshes);
        using WeightSenderPlan plan = schedule.SenderPlan(1);
        WeightLoadList[] loads = [.. Enumerable.Range(0, 4).Select(rank => WeightLoadList.Of(meshes, rank, plan.Tasks))];
        WeightPiece[] pieces = [.. plan.Tasks.ToArray().SelectMany(task => plan.Gathers(in task))];
        Assert.NotEmpty(pieces);
        foreach (WeightPiece piece in pieces)
        {
            WeightLoadList list = loads[piece.SourceRank];
            int[] tensors = [.. Enumerable.Range(0, (int)piece.OuterTurns).SelectMany(outer => Enumerable.Range(0, (int)piece.Levels[3].Count).Select(inner => piece.RunAt(outer, inner).Tensor))];
            int end = Enumerable.Range(0, list.Count).Last(position => tensors.Contains(list[position].Tensor)) + 1;
            Assert.Equal(end, list.EndOf([piece]));
        }

        WeightPiece stranger = pieces[0] with { FirstTensor = FleetMap.TensorCount };
        Assert.Throws<DescriptorException>(() => loads[0].EndOf([stranger]));
        WeightPiece endless = WithLevel(pieces[0], new WeightLevel(1 << 24, 0, 0, 1));
        Assert.Throws<DescriptorException>(() => loads[0].EndOf([endless]));
    }

    [Fact]
    public void A_long_text_is_not_cut_inside_a_character()
    {
        for (int shift = 0; shift < 4; shift++)
        {
            byte[] message = new WeightReply(WeightMessageKind.Done, 4, new string('x', shift) + string.Concat(Enumerable.Repeat("träiner €", 400))).ToBytes();
            string text = WeightReply.Parse(WeightMessageHeader.Parse(message), message).Text;
            Assert.DoesNotContain('\uFFFD', text);
            Assert.EndsWith("…", text, StringComparison.Ordinal);
            Assert.InRange(System.Text.Encoding.UTF8.GetByteCount(text), 1990, 2000);
        }
    }

    private static WeightPiece WithLevel(WeightPiece piece, WeightLevel level)
    {
        piece.Levels[1] = level;
        return piece;
    }

    /// <summary>Whatever the loops say, every run lies between the piece's offsets and its ends, which submission checks.</summary>
    private static void Harmless(in WeightPiece piece)
    {
        Assert.InRange(piece.Runs, 1, 1 << 24);
        WeightRun last = piece.RunAt(piece.OuterTurns - 1, piece.Levels[3].Count - 1);
        Assert.InRange(last.SourceOffset + last.Length, piece.SourceOffset, piece.SourceEnd);
        Assert.InRange(last.DestinationOffset + last.Length, piece.DestinationOffset, piece.DestinationEnd);
    }

    private static WeightGatherRequest Request()
    {
        var piece = new WeightPiece { SourceOffset = 256, DestinationOffset = 512, Length = 400, SourceRank = 2 };
        piece.SetLevels([new WeightLevel(2, 4096, 8192, 4), new WeightLevel(3, 1024, 2048, 1), new WeightLevel(1, 0, 0, 0), new WeightLevel(1, 0, 0, 0)]);
        return new WeightGatherRequest(11, Immediate.FromNumber(5), 4096, s_region, [piece, piece]);
    }
}

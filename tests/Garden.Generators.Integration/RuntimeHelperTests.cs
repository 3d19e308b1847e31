using CsCheck;
using Garden.KvCache;

namespace Garden.Generators.Integration;

/// <summary>The arithmetic that generated plans share.</summary>
public sealed class RuntimeHelperTests
{
    private static readonly long[] s_bytes = [0, 1, 30_000, 65_536, 200_000];

    [Fact]
    public void Every_receiver_gets_each_of_its_heads_from_exactly_one_sender()
    {
        Gen.Select(Gen.Int[1, 12], Gen.Int[1, 12], Gen.Int[1, 12], Gen.Bool, Gen.Bool).Sample((heads, a, b, more, moreToo) =>
        {
            int senders = Degree(heads, a, more), receivers = Degree(heads, b, moreToo);
            for (int receiver = 0; receiver < receivers; receiver++)
            {
                int local = Math.Max(1, heads / receivers);
                var got = new List<int>();
                for (int sender = 0; sender < senders; sender++)
                {
                    KvHeadOverlap overlap = KvHeadOverlap.Of(heads, senders, receivers, sender, receiver);
                    got.AddRange(Enumerable.Range(overlap.DestinationFirst, overlap.Count));
                }

                Assert.Equal(Enumerable.Range(0, local), got.Order());
            }
        });

        static int Degree(int heads, int seed, bool more)
        {
            int[] divisors = [.. Enumerable.Range(1, heads).Where(n => heads % n == 0)];
            return more ? heads * seed : divisors[seed % divisors.Length];
        }
    }

    [Fact]
    public void Equal_degrees_send_each_rank_to_its_own_number()
    {
        foreach ((int heads, int ranks) in ((int, int)[])[(8, 4), (4, 8), (1, 4), (8, 8)])
        {
            for (int sender = 0; sender < ranks; sender++)
            {
                for (int receiver = 0; receiver < ranks; receiver++)
                    Assert.Equal(sender == receiver, KvHeadOverlap.Of(heads, ranks, ranks, sender, receiver).Count != 0);
            }
        }
    }

    [Fact]
    public void Ranks_outside_their_degree_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => KvHeadOverlap.Of(8, 4, 4, 4, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => KvHeadOverlap.Of(8, 4, 4, 0, -1));
    }

    [Fact]
    public void Units_of_segments_are_those_of_a_walk_over_all_tokens()
    {
        Gen.Select(Gen.Int[0, 60], Gen.Int[0, 200], Gen.Int[1, 9], Gen.Int[1, 9], Gen.Int[0, 4].Select(i => s_bytes[i]))
            .Sample((first, tokens, source, destination, bytes) =>
            {
                long units = 0;
                int length = 0;
                for (int token = first; token < first + tokens; token++)
                {
                    length++;
                    if ((token + 1) % source != 0 && (token + 1) % destination != 0 && token + 1 != first + tokens)
                        continue;
                    units += TransferUnits.OfRun(length * bytes);
                    length = 0;
                }

                Assert.Equal(units, KvSegments.CountUnits(first, tokens, source, destination, bytes));
            });
    }
}

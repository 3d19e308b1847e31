using CsCheck;
using Garden.KvCache;

namespace Garden.Core.Tests.KvCache;

public class KvMessageTests
{
    private static readonly MemoryRegionDescriptor s_region = new()
    {
        EngineId = 7,
        Device = 0,
        Generation = 1,
        Length = 1 << 20,
        Routes = [new RouteEntry("loopback", 0, 4096, 99)],
    };

    private static readonly Immediate s_counter = Immediate.ForCounter(3, 2);

    [Fact]
    public void Every_message_round_trips()
    {
        var terms = new KvTerms(KvMessageHeader.CurrentVersion, 1, 2, 61);
        var hello = new KvHello(5, terms);
        Assert.Equal(hello, KvHello.Parse(Header(hello.ToBytes()), Body(hello.ToBytes())));
        var welcome = new KvWelcome(5, 6, 1 << 20, 4096);
        Assert.Equal(welcome, KvWelcome.Parse(Header(welcome.ToBytes()), Body(welcome.ToBytes())));
        var refusal = new KvRefusal(5, "the layouts differ");
        Assert.Equal(refusal, KvRefusal.Parse(Header(refusal.ToBytes()), Body(refusal.ToBytes())));
        var cancel = new KvCancel(5, 9, 3, s_counter);
        Assert.Equal(cancel, KvCancel.Parse(Header(cancel.ToBytes()), Body(cancel.ToBytes())));
        var stopped = new KvStopped(5, 9, true, true, 4, "because");
        Assert.Equal(stopped, KvStopped.Parse(Header(stopped.ToBytes()), Body(stopped.ToBytes())));
    }

    [Fact]
    public void A_request_round_trips_through_parts_in_any_order() =>
        Gen.Select(Gen.Int[0, 5000], Gen.Int[1, 300], Gen.Int[0, 1000]).Sample((pages, partLength, payload) =>
        {
            KvRequestBody request = Request(pages, payload);
            byte[] bytes = request.ToBytes();
            int parts = KvRequestPart.PartsOf(bytes.Length, partLength);
            int[] order = [.. Enumerable.Range(0, parts)];
            new Random(pages).Shuffle(order);
            KvRequestAssembly? assembly = null;
            byte[] message = new byte[KvRequestPart.HeaderLength + partLength];
            foreach (int part in order)
            {
                int length = KvRequestPart.Encode(message, 1, 2, 3, bytes, part, partLength);
                KvRequestPart parsed = KvRequestPart.Parse(message.AsSpan(KvMessageHeader.Length, length - KvMessageHeader.Length), 1 << 20);
                assembly ??= new KvRequestAssembly(parsed);
                Assert.True(assembly.TryAdd(parsed));
                Assert.False(assembly.TryAdd(parsed));
            }

            Assert.True(assembly!.IsComplete);
            var result = KvRequestBody.Parse(assembly.Bytes);
            Assert.Equal(request.Pages, result.Pages);
            Assert.Equal(request.Payload, result.Payload);
            Assert.Equal(request.Immediate, result.Immediate);
            Assert.Equal(request.TailOffset, result.TailOffset);
        });

    /// <summary>Bytes of a peer: cut, flipped or random, they end in a DescriptorException or in a message, never in anything else.</summary>
    [Fact]
    public void Fuzzed_messages_never_escape_the_parsers()
    {
        byte[][] valid =
        [
            new KvHello(5, new KvTerms(1, 1, 2, 61)).ToBytes(),
            new KvWelcome(5, 6, 1 << 20, 4096).ToBytes(),
            new KvRefusal(5, "no").ToBytes(),
            new KvCancel(5, 9, 3, s_counter).ToBytes(),
            new KvStopped(5, 9, true, false, 1, "because").ToBytes(),
            Part(Request(40, 16).ToBytes()),
        ];
        Gen.Select(Gen.Int[0, valid.Length - 1], Gen.Int[0, 4000], Gen.Int[0, int.MaxValue], Gen.Int[0, 8]).Sample(
            (which, cut, seed, flips) => ParseAny(Damage(valid[which], cut, seed, flips)), iter: 20_000);
        Gen.Byte.Array[0, 200].Sample(ParseAny, iter: 20_000);
    }

    [Fact]
    public void Fuzzed_request_bodies_never_escape_the_parser()
    {
        byte[] valid = Request(40, 16).ToBytes();
        Gen.Select(Gen.Int[0, 4000], Gen.Int[0, int.MaxValue], Gen.Int[1, 8]).Sample(
            (cut, seed, flips) =>
            {
                try
                {
                    KvRequestBody.Parse(Damage(valid, cut, seed, flips)).Validate<SmallPages.Transfer>();
                }
                catch (DescriptorException)
                {
                    // The only way out.
                }
            },
            iter: 40_000);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public void An_absurd_page_count_is_refused_before_anything_is_allocated(int count)
    {
        byte[] bytes = Request(0, 0).ToBytes();
        // The page count stands before the (empty) payload's length.
        BitConverter.TryWriteBytes(bytes.AsSpan(bytes.Length - 8), count);
        Assert.Throws<DescriptorException>(() => KvRequestBody.Parse(bytes));
    }

    [Fact]
    public void L9_a_page_outside_the_pool_is_refused_on_the_sending_side_too()
    {
        KvRequestBody request = Request(4, 0) with { PoolPages = 3, TokenCount = 64 };
        Assert.Contains("Page 3 is not within the pool's 3", Assert.Throws<DescriptorException>(request.Validate<SmallPages.Transfer>).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Numbers_are_seen_once_and_gaps_are_remembered()
    {
        var window = new KvSequenceWindow(10);
        Assert.True(window.TryAdd(2));
        Assert.False(window.TryAdd(2));
        Assert.True(window.TryAdd(1));
        Assert.False(window.TryAdd(1));
        Assert.False(window.TryAdd(2));
        Assert.True(window.TryAdd(3));
        Assert.Throws<DescriptorException>(() => window.TryAdd(0));
    }

    [Fact]
    public void A_number_that_never_comes_does_not_stop_the_ones_behind_it()
    {
        var window = new KvSequenceWindow(10);
        for (ulong number = 2; number < 100; number++)
            Assert.True(window.TryAdd(number));
        // Too far behind to tell from one that was seen.
        Assert.False(window.TryAdd(1));
        Assert.True(window.TryAdd(1_000_000));
        Assert.False(window.TryAdd(100));
        Assert.True(window.TryAdd(999_999));
        Assert.False(window.TryAdd(999_999));
    }

    internal static KvRequestBody Request(int pages, int payload) => new()
    {
        Pool = s_region,
        Tail = s_region,
        Immediate = s_counter,
        PoolPages = Math.Max(1, pages),
        FirstToken = 0,
        TokenCount = pages * SmallPages.TokensPerPage,
        FirstLayer = 0,
        LayerCount = SmallPages.Layers,
        TailOffset = 64,
        TailLength = 100,
        Pages = [.. Enumerable.Range(0, pages)],
        Payload = new byte[payload],
    };

    private static byte[] Part(byte[] request)
    {
        byte[] message = new byte[KvRequestPart.HeaderLength + request.Length];
        return message[..KvRequestPart.Encode(message, 5, 9, 6, request, 0, request.Length)];
    }

    private static byte[] Damage(byte[] message, int cut, int seed, int flips)
    {
        byte[] damaged = message[..Math.Min(cut, message.Length)];
        var random = new Random(seed);
        for (int i = 0; i < flips && damaged.Length > 0; i++)
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
        return damaged;
    }

    private static void ParseAny(byte[] message)
    {
        try
        {
            KvMessageHeader header = Header(message);
            ReadOnlySpan<byte> body = Body(message);
            switch (header.Kind)
            {
                case KvMessageKind.Hello:
                    KvHello.Parse(header, body);
                    break;
                case KvMessageKind.Welcome:
                    KvWelcome.Parse(header, body);
                    break;
                case KvMessageKind.Refusal:
                    KvRefusal.Parse(header, body);
                    break;
                case KvMessageKind.Cancel:
                    KvCancel.Parse(header, body);
                    break;
                case KvMessageKind.Stopped:
                    KvStopped.Parse(header, body);
                    break;
                default:
                    _ = new KvRequestAssembly(KvRequestPart.Parse(body, 1 << 16)).IsComplete;
                    break;
            }
        }
        catch (DescriptorException)
        {
            // The only way out.
        }
    }

    private static KvMessageHeader Header(byte[] message) => KvMessageHeader.Parse(message);

    private static ReadOnlySpan<byte> Body(byte[] message) => message.AsSpan(KvMessageHeader.Length);
}

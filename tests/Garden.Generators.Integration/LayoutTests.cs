using CsCheck;
using Garden.KvCache;

namespace Garden.Generators.Integration;

public sealed class LayoutTests
{
    public static TheoryData<string> Layouts => LayoutCases.Names;

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Offsets_are_those_of_the_naive_model(string name) =>
        Gen.Int[0, int.MaxValue].Sample(LayoutCases.Get(name).Offsets, iter: 20, threads: 1);

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Gather_and_scatter_are_inverse_and_canonical(string name) =>
        Gen.Select(Gen.Int[0, 20], Gen.Int[0, int.MaxValue]).Sample(LayoutCases.Get(name).Copies, iter: 6, threads: 1);

    [Fact]
    public void Real_models_have_their_published_sizes()
    {
        // DeepSeek-V3: 512 + 64 BF16 numbers a token and layer, 70 272 B a token over 61 layers.
        Assert.Equal(1152, DeepSeekV3.BytesPerToken);
        Assert.Equal(73_728, DeepSeekV3.BytesPerPage);
        Assert.Equal(70_272 * 64, DeepSeekV3.PoolBytes(1));
        // Llama-3-70B: 8 heads × 128 × K and V × BF16 are 4 KiB a token and layer, 320 KiB a token.
        Assert.Equal(4096, Llama70Tp1.BytesPerToken);
        Assert.Equal(320 * 1024 * 16, Llama70Tp1.PoolBytes(1));
        Assert.Equal(512, Llama70Tp8.BytesPerToken);
        Assert.Equal(1, Llama70Tp8.LocalKvHeads);
        Assert.Equal(2, Llama70Tp4.LocalKvHeads);
        // More ranks than heads: each rank still holds one.
        Assert.Equal(1, Qwen235Tp8.LocalKvHeads);
        Assert.Equal(KvPlanes.Latent, DeepSeekV3.Planes);
    }

    [Fact]
    public void The_hash_is_the_documented_one_and_tells_layouts_apart()
    {
        // FNV-1a over Element, Layers, KvHeads, HeadSize, TokensPerPage, Planes, Axes, PoolOrder, TensorParallel.
        ulong hash = 14695981039346656037;
        foreach (int value in (int[])[(int)KvElement.BFloat16, 61, 1, 576, 64, (int)KvPlanes.Latent, 0, 0, 1])
        {
            foreach (byte part in BitConverter.GetBytes(value))
                hash = (hash ^ part) * 1099511628211;
        }

        Assert.Equal(DeepSeekV3.LayoutHash, hash);
        ulong[] hashes = [DeepSeekV3.LayoutHash, DeepSeekV3Tp4.LayoutHash, Llama70Tp8.LayoutHash, Llama70Tp4.LayoutHash, Llama70Tp1.LayoutHash, InterleavedNhd.LayoutHash, InterleavedHnd.LayoutHash, SeparateNhd.LayoutHash];
        Assert.Equal(hashes.Length, hashes.Distinct().Count());
    }

    [Fact]
    public void Wrong_arguments_are_named()
    {
        byte[] pool = new byte[InterleavedNhd.PoolBytes(3)];
        byte[] tokens = new byte[8 * InterleavedNhd.BytesPerToken];
        Assert.Contains("Page 3", Refused(() => InterleavedNhd.Gather(pool, 3, 0, [0, 3], 8, tokens)));
        Assert.Contains("Page -1", Refused(() => InterleavedNhd.Scatter(tokens, pool, 3, 0, [-1], 2)));
        Assert.Contains("Layer 3", Refused(() => InterleavedNhd.Gather(pool, 3, 3, [0], 1, tokens)));
        Assert.Contains("9 tokens", Refused(() => InterleavedNhd.Gather(pool, 3, 0, [0, 1], 9, tokens)));
        Assert.Contains("-1 tokens", Refused(() => InterleavedNhd.Gather(pool, 3, 0, [0, 1], -1, tokens)));
        Assert.Contains("pool of 4 pages", Refused(() => InterleavedNhd.Gather(pool, 4, 0, [0], 1, tokens)));
        Assert.Contains("pool of -1 pages", Refused(() => InterleavedNhd.Gather(pool, -1, 0, [0], 1, tokens)));
        Assert.Contains("8 tokens take", Refused(() => InterleavedNhd.Gather(pool, 3, 0, [0, 1], 8, tokens.AsSpan(1))));

        static string Refused(Action action) => Assert.Throws<ArgumentException>(action).Message;
    }
}

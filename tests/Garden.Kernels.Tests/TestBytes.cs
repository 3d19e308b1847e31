namespace Garden.Kernels.Tests;

/// <summary>Random inputs and poisoned outputs.</summary>
internal static class TestBytes
{
    public const byte Poison = 0xCD;

    public static byte[] Random(Random random, long length)
    {
        var bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    public static byte[] Poisoned(long length)
    {
        var bytes = new byte[length];
        Array.Fill(bytes, Poison);
        return bytes;
    }

    public static DeviceBuffer Upload(KernelDevice device, ReadOnlySpan<byte> bytes, int elementBytes = 1)
    {
        DeviceBuffer buffer = device.Allocate(bytes.Length, elementBytes);
        buffer.Write(bytes);
        return buffer;
    }

    public static byte[] Download(DeviceBuffer buffer)
    {
        var bytes = new byte[buffer.Length];
        buffer.Read(bytes);
        return bytes;
    }

    public static void Same(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, string what)
    {
        int same = expected.CommonPrefixLength(actual);
        Assert.True(same == expected.Length && expected.Length == actual.Length, $"{what}: byte {same} of {expected.Length} differs{(same < Math.Min(expected.Length, actual.Length) ? $": {expected[same]:x2} expected, {actual[same]:x2} found" : $", {actual.Length} found")}");
    }

    /// <summary>So many different pages of a pool, in any order.</summary>
    public static int[] Pages(Random random, int poolPages, int count)
    {
        int[] pages = [.. Enumerable.Range(0, poolPages)];
        random.Shuffle(pages);
        return pages[..count];
    }
}

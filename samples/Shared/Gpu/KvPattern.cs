using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Garden.Samples;

/// <summary>
/// Data that says where it belongs: every 8-byte word depends on the seed, the request, the epoch, the layer, the plane, the
/// page's position in the prompt and the word's place in the page. It is regenerated for verification, never stored.
/// </summary>
internal static class KvPattern
{
    /// <summary>What destinations and guards hold before anything arrives.</summary>
    public const byte Poison = 0xA5;

    /// <summary>What words of a page are apart before they are mixed.</summary>
    public const ulong Step = 0x9E3779B97F4A7C15;

    /// <summary>The key of one plane of one page.</summary>
    public static ulong Key(int seed, int request, int epoch, int layer, int plane, int position)
    {
        ulong key = Mix((ulong)seed + Step);
        key = Mix(key ^ ((uint)request | ((ulong)(uint)epoch << 32)));
        return Mix(key ^ ((uint)position | ((ulong)(uint)layer << 32) | ((ulong)(uint)plane << 56)));
    }

    /// <summary>The key of a request's tail.</summary>
    public static ulong TailKey(int seed, int request) => Key(seed, request, 0, -1, 0, 0);

    public static void Fill(Span<byte> destination, ulong key)
    {
        Span<Vector256<ulong>> vectors = MemoryMarshal.Cast<byte, Vector256<ulong>>(destination);
        Vector256<ulong> counter = First(key);
        Vector256<ulong> step = Vector256.Create(unchecked(Step * 4));
        for (int i = 0; i < vectors.Length; i++)
        {
            vectors[i] = Words(counter);
            counter += step;
        }

        Span<ulong> rest = MemoryMarshal.Cast<byte, ulong>(destination[(vectors.Length * 32)..]);
        for (int i = 0; i < rest.Length; i++)
            rest[i] = Word(key + ((ulong)((vectors.Length * 4) + i) * Step));
    }

    /// <summary>Index of the first byte that is not what <see cref="Fill"/> wrote, −1 when there is none.</summary>
    public static int FirstDifference(ReadOnlySpan<byte> data, ulong key)
    {
        ReadOnlySpan<Vector256<ulong>> vectors = MemoryMarshal.Cast<byte, Vector256<ulong>>(data);
        Vector256<ulong> counter = First(key);
        Vector256<ulong> step = Vector256.Create(unchecked(Step * 4));
        Vector256<ulong> difference = Vector256<ulong>.Zero;
        for (int i = 0; i < vectors.Length; i++)
        {
            difference |= vectors[i] ^ Words(counter);
            counter += step;
        }

        bool same = difference == Vector256<ulong>.Zero;
        ReadOnlySpan<ulong> rest = MemoryMarshal.Cast<byte, ulong>(data[(vectors.Length * 32)..]);
        for (int i = 0; i < rest.Length; i++)
            same &= rest[i] == Word(key + ((ulong)((vectors.Length * 4) + i) * Step));
        return same ? -1 : Locate(data, key);
    }

    private static int Locate(ReadOnlySpan<byte> data, ulong key)
    {
        byte[] expected = new byte[data.Length];
        Fill(expected, key);
        return data.CommonPrefixLength(expected);
    }

    private static Vector256<ulong> First(ulong key) => unchecked(Vector256.Create(key, key + Step, key + (2 * Step), key + (3 * Step)));

    private static Vector256<ulong> Words(Vector256<ulong> counter)
    {
        counter ^= counter >>> 29;
        return counter ^ (counter << 17);
    }

    /// <summary>The word at key + index × <see cref="Step"/>.</summary>
    public static ulong Word(ulong counter)
    {
        counter ^= counter >> 29;
        return counter ^ (counter << 17);
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}

namespace Garden.Generators;

/// <summary>FNV-1a, 64 bits: stable over processes and versions, which string.GetHashCode is not.</summary>
internal static class Fnv1a
{
    private const ulong Basis = 14695981039346656037;
    private const ulong Prime = 1099511628211;

    /// <summary>The hash of the values, each as four little-endian bytes.</summary>
    public static ulong Of(params int[] values)
    {
        ulong hash = Basis;
        foreach (int value in values)
            hash = Add(hash, value);
        return hash;
    }

    /// <summary>The hash of the text, each character as four little-endian bytes.</summary>
    public static ulong Of(string text) => Add(Basis, text);

    /// <summary>The hash of the texts, each followed by a character that no text has.</summary>
    public static ulong Of(IEnumerable<string> texts)
    {
        ulong hash = Basis;
        foreach (string text in texts)
            hash = Add(Add(hash, text), -1);
        return hash;
    }

    private static ulong Add(ulong hash, string text)
    {
        foreach (char c in text)
            hash = Add(hash, c);
        return hash;
    }

    private static ulong Add(ulong hash, int value)
    {
        for (int shift = 0; shift < 32; shift += 8)
            hash = unchecked((hash ^ (byte)(value >> shift)) * Prime);
        return hash;
    }
}

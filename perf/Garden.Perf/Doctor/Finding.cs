namespace Garden.Perf.Doctor;

/// <summary>One thing that is here or is not.</summary>
/// <param name="Area">What it belongs to: libfabric, a fabric's name, limits …</param>
/// <param name="What">What was looked for.</param>
/// <param name="Found">What is there.</param>
internal sealed record Finding(string Area, string What, string Found)
{
    /// <summary>What lacks it, in words; null when all is well.</summary>
    public string? Missing { get; init; }

    /// <summary>The command that mends it.</summary>
    public string? Mend { get; init; }

    /// <summary>The fabrics that cannot be used without it.</summary>
    public IReadOnlyList<string> Blocks { get; init; } = [];

    /// <summary>The same, and what to do unless all is well.</summary>
    public Finding Unless(bool well, string missing, string mend, params string[] blocks) =>
        well ? this : this with { Missing = missing, Mend = mend, Blocks = blocks };
}

using System.Text.Json;
using System.Text.Json.Serialization;

namespace KvStreaming;

/// <summary>The figures of a run, over one model or all of them; its property names are the names in the JSON line.</summary>
internal sealed record Summary
{
    public string? Model { get; init; }

    public required int Layers { get; init; }

    public required long Requests { get; init; }

    public required long Tokens { get; init; }

    public required long Bytes { get; init; }

    public required long VerifiedBytes { get; init; }

    public required double Seconds { get; init; }

    public required double GbPerSecond { get; init; }

    public required double MemcpyGbPerSecond { get; init; }

    public required double OverMemcpy { get; init; }

    public required double? WritesPerRequest { get; init; }

    public required double WritesPerRequestUncoalesced { get; init; }

    public required double? AddedTtftP50Us { get; init; }

    public required double? AddedTtftP99Us { get; init; }

    public required long PrefixHitBlocks { get; init; }

    public required long PrefixBlocks { get; init; }

    public required long LeakedPages { get; init; }

    public required long Errors { get; init; }

    public IReadOnlyDictionary<string, double>? WritesPerRequestByPlacement { get; init; }

    public static Summary Of(IReadOnlyList<ModelResult> results, double memcpy)
    {
        long requests = results.Sum(result => result.Measured.Requests);
        long bytes = results.Sum(result => result.Measured.Bytes);
        double seconds = results.Sum(result => result.Elapsed.TotalSeconds);
        double[] added = [.. results.SelectMany(result => result.Measured.AddedMicroseconds()).Order()];
        double rate = bytes / seconds / 1e9;
        return new Summary
        {
            Model = results.Count == 1 ? results[0].Model : null,
            Layers = results[0].Layers,
            Requests = requests,
            Tokens = results.Sum(result => result.Measured.Tokens),
            Bytes = bytes,
            VerifiedBytes = results.Sum(result => result.Measured.VerifiedBytes),
            Seconds = Math.Round(seconds, 3),
            GbPerSecond = Math.Round(rate, 3),
            MemcpyGbPerSecond = Math.Round(memcpy, 3),
            OverMemcpy = Math.Round(rate / memcpy, 3),
            WritesPerRequest = results.Any(result => result.Writes is null) ? null : Math.Round((double)results.Sum(result => result.Writes!.Value) / Math.Max(1, requests), 1),
            WritesPerRequestUncoalesced = Math.Round((double)results.Sum(result => result.Measured.CanonicalWrites) / Math.Max(1, requests), 1),
            AddedTtftP50Us = Percentile(added, 0.50),
            AddedTtftP99Us = Percentile(added, 0.99),
            PrefixHitBlocks = results.Sum(result => result.Measured.HitBlocks),
            PrefixBlocks = results.Sum(result => result.Measured.Blocks),
            LeakedPages = results.Sum(result => result.LeakedPages),
            Errors = results.Sum(result => result.Measured.Errors.Count),
            WritesPerRequestByPlacement = results.Count == 1 ? results[0].Placements.ToDictionary(study => Name(study.Placement), study => Math.Round(study.Coalesced, 1)) : null,
        };
    }

    public static string Name(Placement placement) => JsonNamingPolicy.SnakeCaseLower.ConvertName(placement.ToString());

    private static double? Percentile(double[] sorted, double share) => sorted.Length == 0 ? null : Math.Round(sorted[(int)Math.Ceiling(share * sorted.Length) - 1], 1);
}

/// <summary>The last line of a run with <c>--json</c>.</summary>
internal sealed record JsonReport(
    [property: JsonPropertyOrder(2)] IReadOnlyList<Summary> Models,
    [property: JsonPropertyOrder(2)] int Seed,
    [property: JsonPropertyOrder(2)] int? ReorderSeed,
    [property: JsonPropertyOrder(2)] int Nics)
{
    private static readonly JsonSerializerOptions s_options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>One object: the figures over all models at its top level, then those of each model.</summary>
    public string ToJson(Summary all)
    {
        var root = JsonSerializer.SerializeToNode(all, s_options)!.AsObject();
        foreach ((string name, System.Text.Json.Nodes.JsonNode? value) in JsonSerializer.SerializeToNode(this, s_options)!.AsObject().ToArray())
            root[name] = value?.DeepClone();
        return root.ToJsonString();
    }
}
